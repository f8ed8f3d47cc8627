"""How far sweeps go: as far as a suite allows that is run before each commit, or, with `pytest -m long`, as an evening does."""

import os

LONG = "AGENTIC_TEST_LONG" in os.environ
"""Set by `-m long`, which `conftest.py` sees before a test is collected."""

KILLS = 100 if LONG else 2
"""SIGKILLs of each kind in `test_kills.py`."""

FUZZ_CASES = 1_000_000 if LONG else 5_000
EXAMPLES = 1_000 if LONG else 30
"""Examples of each property that hypothesis tries."""
