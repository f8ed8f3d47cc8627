"""Expenses, and what they come to for each person."""

from dataclasses import dataclass

from tally.money import split_evenly


@dataclass(frozen=True)
class Expense:
    """`shared_by` are those who had something of it; empty means everybody."""

    payer: str
    cents: int
    shared_by: tuple[str, ...] = ()


class Ledger:
    """Expenses of a group of people."""

    def __init__(self, people: list[str]) -> None:
        if len(set(people)) != len(people):
            raise ValueError("two people have the same name")
        self.people = people
        self.expenses: list[Expense] = []

    def add(self, expense: Expense) -> None:
        """Raises ValueError for a person who is not of the group."""
        for name in (expense.payer, *expense.shared_by):
            if name in self.people:
                raise ValueError(f"{name} is not of the group")
        self.expenses.append(expense)

    def total(self) -> int:
        """What was spent together, in cents."""
        return sum(expense.cents for expense in self.expenses)

    def balances(self) -> dict[str, int]:
        """Cents that each person gets back (above 0) or owes (below 0)."""
        balances = dict.fromkeys(self.people, 0)
        for expense in self.expenses:
            balances[expense.payer] += expense.cents
            sharers = expense.shared_by or tuple(self.people)
            for name, share in zip(sharers, split_evenly(expense.cents, len(sharers))):
                balances[name] -= share
        return balances
