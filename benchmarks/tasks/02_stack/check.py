import sys

sys.path.insert(0, sys.argv[1])

from stack import Stack

stack = Stack()
stack.push(1)
stack.push("two")
assert len(stack) == 2
assert stack.peek() == "two"
assert stack.pop() == "two"
assert stack.pop() == 1
assert len(stack) == 0
for method in (stack.pop, stack.peek):
    try:
        method()
    except IndexError:
        continue
    raise AssertionError("an empty stack must raise IndexError")
