"""python -m tally FILE: each line is "payer amount [name,name,...]"."""

import sys

from tally import Expense, Ledger, report
from tally.money import parse_amount


def read(lines: list[str]) -> Ledger:
    """A ledger of the lines; everybody who is named is of the group."""
    rows = [line.split() for line in lines if line.strip()]
    names = {row[0] for row in rows} | {name for row in rows for name in (row[2].split(",") if len(row) > 2 else [])}
    ledger = Ledger(sorted(names))
    for row in rows:
        shared_by = tuple(row[2].split(",")) if len(row) > 2 else ()
        ledger.add(Expense(row[0], parse_amount(row[1]), shared_by))
    return ledger


if __name__ == "__main__":
    with open(sys.argv[1]) as file:
        print(report(read(file.readlines())))
