import sys

sys.path.insert(0, sys.argv[1])

from stats import mean, median

assert median([3, 1, 2]) == 2
assert median([4, 1, 3, 2]) == 2.5
assert median([5]) == 5
assert mean([1, 2, 3]) == 2
numbers = [3, 1, 2]
median(numbers)
assert numbers == [3, 1, 2], "the caller's list was changed"
for function in (mean, median):
    try:
        function([])
    except ValueError:
        continue
    raise AssertionError("empty input must raise ValueError")
