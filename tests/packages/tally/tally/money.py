"""Amounts are whole cents: 1250 is 12.50."""

import re

_AMOUNT = re.compile(r"(\d+)(?:[.,](\d{1,2}))?")


def parse_amount(text: str) -> int:
    """Cents of "12.50", "12,5" or "12". Raises ValueError for anything else."""
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"not an amount: {text!r}")
    whole, cents = match.groups()
    return int(whole) * 100 + int((cents or "0").ljust(2, "0"))


def format_amount(cents: int) -> str:
    """ "12.50" for 1250; a debt has a minus sign."""
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d}"


def split_evenly(cents: int, parts: int) -> list[int]:
    """Shares that differ by at most one cent and add up to `cents`."""
    share, rest = divmod(cents, parts)
    return [share + 1] * rest + [share] * (parts - rest)
