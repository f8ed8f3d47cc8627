import unittest

from tally import Expense, Ledger, report


class ReportTest(unittest.TestCase):
    def test_who_pays_whom(self):
        ledger = Ledger(["Ada", "Ben"])
        ledger.add(Expense("Ada", 1000))
        self.assertEqual(
            report(ledger).splitlines(),
            ["Spent together: 10.00", "", "Ada        5.00", "Ben       -5.00", "", "Ben pays Ada 5.00"],
        )
