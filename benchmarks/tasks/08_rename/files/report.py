from store import get_data


def total():
    return sum(amount for _, amount in get_data())


def summary():
    return f"{len(get_data())} records, total {total()}"
