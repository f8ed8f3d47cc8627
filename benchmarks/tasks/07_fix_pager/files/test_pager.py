import unittest

from pager import page, page_count


class PagerTest(unittest.TestCase):
    def test_count_with_rest(self):
        self.assertEqual(page_count([1, 2, 3, 4, 5], 2), 3)

    def test_count_even(self):
        self.assertEqual(page_count([1, 2, 3, 4], 2), 2)

    def test_first_page(self):
        self.assertEqual(page([1, 2, 3, 4, 5], 1, 2), [1, 2])

    def test_last_page(self):
        self.assertEqual(page([1, 2, 3, 4, 5], 3, 2), [5])
