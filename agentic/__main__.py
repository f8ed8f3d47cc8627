"""`python -m agentic`."""

from agentic.cli import program

program()
