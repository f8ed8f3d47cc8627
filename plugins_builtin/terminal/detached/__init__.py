"""Sessions without a terminal: each goes on in its own process, and terminals show it through a socket of the user's."""
