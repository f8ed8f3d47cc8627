def get_data():
    """All records as pairs of name and amount."""
    return [("a", 10), ("b", 20), ("c", 30)]


def names():
    return [name for name, _ in get_data()]
