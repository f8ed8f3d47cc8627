"""The transfers that even out a ledger."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Transfer:
    sender: str
    receiver: str
    cents: int


def settle(balances: dict[str, int]) -> list[Transfer]:
    """Few transfers after which nobody owes anything: the largest debt goes to the largest claim first."""
    open_balances = dict(balances)
    transfers = []
    while any(open_balances.values()):
        sender = min(open_balances, key=lambda name: open_balances[name])
        receiver = max(open_balances, key=lambda name: open_balances[name])
        cents = min(-open_balances[sender], open_balances[receiver])
        open_balances[sender] += cents
        open_balances[receiver] -= cents
        transfers.append(Transfer(sender, receiver, cents))
    return transfers
