import sys

sys.path.insert(0, sys.argv[1])

from pager import page, page_count

assert page_count([1, 2, 3, 4, 5], 2) == 3
assert page_count([1, 2, 3, 4], 2) == 2
assert page_count([], 2) == 0
assert page([1, 2, 3, 4, 5], 1, 2) == [1, 2]
assert page([1, 2, 3, 4, 5], 3, 2) == [5]
