"""The terminal: its keys, lines read from it, its background, what calls for attention."""
