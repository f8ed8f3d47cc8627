def mean(numbers):
    if not numbers:
        raise ValueError("mean of nothing")
    return sum(numbers) / len(numbers)


def median(numbers):
    middle = len(numbers) // 2
    return numbers[middle]
