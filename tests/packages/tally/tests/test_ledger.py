import unittest

from tally.ledger import Expense, Ledger


class LedgerTest(unittest.TestCase):
    def test_an_expense_is_shared_by_everybody(self):
        ledger = Ledger(["Ada", "Ben", "Cem"])
        ledger.add(Expense("Ada", 3000))
        self.assertEqual(ledger.balances(), {"Ada": 2000, "Ben": -1000, "Cem": -1000})

    def test_an_expense_is_shared_by_some(self):
        ledger = Ledger(["Ada", "Ben", "Cem"])
        ledger.add(Expense("Ada", 3000, shared_by=("Ben", "Cem")))
        self.assertEqual(ledger.balances(), {"Ada": 3000, "Ben": -1500, "Cem": -1500})

    def test_a_stranger_cannot_pay(self):
        with self.assertRaises(ValueError):
            Ledger(["Ada"]).add(Expense("Eve", 100))
