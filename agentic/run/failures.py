"""The essence of what a test run or a program printed: small models see one plain line, and miss it in a page of output."""

import re

MAX_LINES = 6
MAX_CHARACTERS = 1500
_UNITTEST = re.compile(r"^\n?(?:ERROR|FAIL): .*?(?=^={70}|^-{70}\nRan |\Z)", re.MULTILINE | re.DOTALL)
_STATEMENT = re.compile(r"^ {4}(\S.*)$", re.MULTILINE)
_RAISED = re.compile(r"^(\w[\w.]*(?:Error|Exception|Exit|Interrupt)\b.*)$", re.MULTILINE)
_PYTEST_ERROR = re.compile(r"^E {3,}(\S.*)$", re.MULTILINE)


def essence(text: str) -> str:
    """One line for each failure ("statement → what it raised") where the output is understood, else its end."""
    found = [_failure(block[0]) for block in _UNITTEST.finditer(text)] or _PYTEST_ERROR.findall(text)
    lines = list(dict.fromkeys(line for line in found if line))[:MAX_LINES]
    return "\n".join(lines) if lines else text[-MAX_CHARACTERS:].strip()


def _failure(block: str) -> str:
    statements, raised = _STATEMENT.findall(block), _RAISED.findall(block)
    if not raised:
        return ""
    code = [line for line in statements if not set(line) <= {"^", "~", " "}]
    return f"{code[0].strip()}  →  {raised[0]}" if code else str(raised[0])
