"""A ledger as text."""

from tally.ledger import Ledger
from tally.money import format_amount
from tally.settle import settle


def report(ledger: Ledger) -> str:
    """The total, each person's balance, and who pays whom."""
    width = max(len(name) for name in ledger.people)
    lines = [f"Spent together: {format_amount(ledger.total())}", ""]
    for name, cents in ledger.balances().items():
        lines.append(f"{name:<{width}}  {format_amount(cents):>10}")
    transfers = settle(ledger.balances())
    if transfers:
        lines.append("")
    for transfer in transfers:
        lines.append(f"{transfer.sender} pays {transfer.receiver} {format_amount(transfer.cents)}")
    return "\n".join(lines)
