"""`python -m agentic`."""

from agentic.cli import main

main()
