"""Whether a prompt's wording makes a difference: one set of tasks with two variants, and how likely chance alone is.

    python benchmarks/prompts.py NAME VARIANT.txt [--runs 3] [--only TASK] [--tasks FOLDER] [-- further agentic options]

NAME is a prompt of `agentic prompts`; VARIANT.txt holds the other wording. Each task is done with both, one after the other, so
that both meet the same machine. A task counts where the two differ: the exact sign test (McNemar's) says how often chance alone
would give as uneven a split. Below 0.05 the difference is more than chance; with ten tasks it takes six to none.
"""

import argparse
import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from tasks import HERE, attempt


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("variant", type=Path)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--tasks", type=Path, default=HERE / "tasks")
    parser.add_argument("options", nargs="*", default=["--local"], help="agentic's options")
    given = parser.parse_args()
    text = given.variant.read_text().rstrip("\n")
    other = [*given.options, "-c", f"prompts.texts={{{_quoted(given.name)} = {_quoted(text)}}}"]
    pairs = [
        (task.name, attempt(task, given.options, None), attempt(task, other, None))
        for _ in range(given.runs)
        for task in sorted(given.tasks.iterdir())
        if given.only in task.name and (task / "check.py").exists()
    ]
    for name, one, two in pairs:
        print(f"{name:16} now {_said(one)}   variant {_said(two)}")
    report([(bool(one["solved"]), bool(two["solved"])) for _, one, two in pairs])


def _quoted(text: str) -> str:
    """As a TOML basic string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def _said(row: dict[str, object]) -> str:
    return f"{'solved' if row['solved'] else 'FAILED'} {row['seconds']:6.1f} s"


def report(pairs: list[tuple[bool, bool]]) -> None:
    only_now, only_variant = (sum(one and not two for one, two in pairs), sum(two and not one for one, two in pairs))
    now, variant = (sum(pair[place] for pair in pairs) for place in (0, 1))
    chance = sign_test(only_now, only_variant)
    verdict = "more than chance" if chance < 0.05 else "no more than chance may give"
    print(f"\n{len(pairs)} tasks: now {now}, variant {variant}; only now {only_now}, only the variant {only_variant}")
    print(f"p = {chance:.3f}: {verdict}")


def sign_test(one: int, other: int) -> float:
    """How likely a split as uneven as this is, either way, when both sides are equally likely."""
    total, least = one + other, min(one, other)
    tail = sum(math.comb(total, k) for k in range(least + 1))
    return float(min(1.0, 2 * tail / 2**total))


if __name__ == "__main__":
    main()
