import unittest

from tally.money import format_amount, parse_amount, split_evenly


class MoneyTest(unittest.TestCase):
    def test_parse(self):
        self.assertEqual([parse_amount(text) for text in ("12.50", "12,5", "12")], [1250, 1250, 1200])
        with self.assertRaises(ValueError):
            parse_amount("twelve")

    def test_format(self):
        self.assertEqual([format_amount(cents) for cents in (1250, 5, -205)], ["12.50", "0.05", "-2.05"])

    def test_split(self):
        self.assertEqual(split_evenly(100, 3), [34, 33, 33])
