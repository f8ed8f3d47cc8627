"""Statistics of counts: intervals, and the exact test of two settings on the same tasks."""

import math

Z = 1.959964  # of the normal distribution, for 95 %


def interval(solved: int, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share: it holds for small counts, too.

    >>> [round(end, 2) for end in interval(6, 8)]
    [0.41, 0.93]
    """
    if not count:
        return 0.0, 1.0
    share, more = solved / count, Z * Z / count
    middle, half = share + more / 2, Z * math.sqrt(share * (1 - share) / count + more / (4 * count))
    return (middle - half) / (1 + more), (middle + half) / (1 + more)


def sign_test(first: int, second: int) -> float:
    """The exact chance of so uneven a split of the tasks that only one of two settings solves, if both are as good.

    >>> sign_test(0, 5)
    0.0625
    """
    count, less = first + second, min(first, second)
    return min(1.0, 2 * sum(math.comb(count, number) for number in range(less + 1)) / 2**count) if count else 1.0
