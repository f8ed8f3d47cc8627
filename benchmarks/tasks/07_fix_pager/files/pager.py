def page_count(items, size):
    """How many pages of `size` items are needed."""
    return len(items) // size + 1


def page(items, number, size):
    """The items on page `number`; the first page is number 1."""
    start = number * size
    return items[start : start + size]
