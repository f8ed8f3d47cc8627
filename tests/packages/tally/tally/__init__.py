"""Who owes whom after a trip."""

from tally.ledger import Expense, Ledger
from tally.report import report
from tally.settle import Transfer, settle

__all__ = ["Expense", "Ledger", "Transfer", "report", "settle"]
