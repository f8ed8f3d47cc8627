"""The command line of `agentic eval`."""

import asyncio
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from agentic import AgenticError, ConfigError
from agentic.commands.start import interruptible
from agentic.lib.listing import in_columns
from agentic.lib.loop import run
from plugins_builtin.evaluation.report import compared, page, table
from plugins_builtin.evaluation.running import tried
from plugins_builtin.evaluation.tasks import EvaluationTask, tasks_in

Run = tuple[str, EvaluationTask, int, Sequence[str]]
"""(the setting's name, the task, for which time, the options of `agentic run`)"""
_BEGIN = b'{"key": '  # of each row
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(context_settings={"ignore_unknown_options": True}, epilog="The manual: agentic docs evaluation")
@click.argument("tasks", type=click.Path(path_type=Path, file_okay=False))
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@click.option("-c", "pairs", multiple=True, metavar="KEY=VALUE", help="A setting of all runs (repeatable).")
@click.option("--against", multiple=True, metavar="KEY=VALUE", help="A second setting, compared with the first (repeatable).")
@click.option("--out", type=_FILE, default=Path("eval.jsonl"), show_default=True, help="The results; tasks in it are not repeated.")
@click.option("--runs", type=click.IntRange(1), default=1, show_default=True, help="How often to run each task.")
@click.option("--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="How many tasks to run at once.")
@click.option("--seconds", type=click.FloatRange(1), default=900.0, show_default=True, help="The time limit of a run.")
@click.option("--html", "html_file", type=_FILE, help="Also write the report as an HTML page.")
def command(
    tasks: Path,
    options: tuple[str, ...],
    pairs: tuple[str, ...],
    against: tuple[str, ...],
    out: Path,
    runs: int,
    jobs: int,
    seconds: float,
    html_file: Path | None,
) -> int:
    """Runs each task of a folder in a copy, then its hidden check. The words after -- are options of `agentic run`.

    For example: agentic eval tasks --against attempts.count=4 --jobs 2 -- --approve all
    """
    found, base = tasks_in(tasks), tuple(word for pair in pairs for word in ("-c", pair)) + options
    settings = {"first": base} | ({"second": (*base, *(word for pair in against for word in ("-c", pair)))} if against else {})
    results = EvaluationResults(out)
    each = [(task, number) for number in range(1, runs + 1) for task in found]
    every = [(name, task, number, words) for task, number in each for name, words in settings.items()]
    work = [one for one in every if results.of(*one[1:]) is None]
    known = f", {results.count} results stand in {out}" if results.count else ""
    click.echo(f"{len(found)} tasks, {len(work)} runs to do{known}", err=True)
    code = run(interruptible(_all(work, results, jobs, seconds)))
    rows: dict[str, dict[str, Any]] = {name: {} for name in settings}
    for name, task, number, words in every:
        if row := results.of(task, number, words):
            rows[name][_title(task, number)] = row
    click.echo("\n".join(in_columns(table(rows))))
    sentence = compared(rows["first"], rows["second"]) if against else ""
    if sentence:
        click.echo(sentence)
    if html_file is not None:
        html_file.write_text(page(rows, sentence), encoding="utf-8")
        click.echo(f"written: {html_file}", err=True)
    return int(code)


async def _all(work: Sequence[Run], results: "EvaluationResults", jobs: int, seconds: float) -> int:
    places, failed = asyncio.Semaphore(jobs), list[str]()

    async def one(name: str, task: EvaluationTask, number: int, words: Sequence[str]) -> None:
        async with places:
            try:
                row = await tried(task, words, seconds)
            except AgenticError as error:
                failed.append(str(error))
                click.echo(f"{_title(task, number)}  {name}  could not be run: {error}", err=True)
                return
            results.add(task, number, words, row)
            mark = "solved" if row["solved"] else "not solved"
            click.echo(f"{_title(task, number)}  {name}  {mark}  {row['status']}  {row['seconds']} s", err=True)

    async with asyncio.TaskGroup() as group:
        for each in work:
            group.create_task(one(*each))
    return 1 if failed else 0


class EvaluationResults:
    """The rows in a file, a line each, appended as they come: what a kill cut off is done again, the rest is not."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: dict[str, dict[str, Any]] = {}
        for row in _lines(path):
            self._rows[row["key"]] = row

    @property
    def count(self) -> int:
        return len(self._rows)

    def of(self, task: EvaluationTask, number: int, words: Sequence[str]) -> dict[str, Any] | None:
        """The row of that task, as it is now, done with these options for that time; None where it was not."""
        return self._rows.get(_key(task, number, words))

    def add(self, task: EvaluationTask, number: int, words: Sequence[str], row: dict[str, Any]) -> None:
        """Keeps a row, in one write."""
        row = {"key": _key(task, number, words), "task": task.name, "options": list(words)} | row
        self._rows[row["key"]] = row
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _title(task: EvaluationTask, number: int) -> str:
    return task.name if number == 1 else f"{task.name} ({number})"


def _key(task: EvaluationTask, number: int, words: Sequence[str]) -> str:
    made = "\0".join((task.name, task.digest, str(number), *words))
    return hashlib.sha256(made.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of an earlier evaluation; the last line goes where a kill cut it off. Raises ConfigError for another file."""
    place = 0
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True) if path.exists() else (), 1):
        if not line.endswith(b"\n") and (line.startswith(_BEGIN) or _BEGIN.startswith(line)):
            os.truncate(path, place)
            return
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict) or "key" not in row:
            raise ConfigError(f"{path}, line {number}: that is no result of an evaluation", "--out names another file")
        place += len(line)
        yield row
