import unittest

from tally.settle import Transfer, settle


class SettleTest(unittest.TestCase):
    def test_one_transfer_for_one_debt(self):
        self.assertEqual(settle({"Ada": 500, "Ben": -500}), [Transfer("Ben", "Ada", 500)])

    def test_nobody_owes_anything_afterwards(self):
        balances = {"Ada": 700, "Ben": -300, "Cem": -400}
        for transfer in settle(balances):
            balances[transfer.sender] += transfer.cents
            balances[transfer.receiver] -= transfer.cents
        self.assertEqual(set(balances.values()), {0})
