import sys

sys.path.insert(0, sys.argv[1])

from slug import slugify

assert slugify("  Hello, World!  ") == "hello-world"
assert slugify("a__b--c") == "a-b-c"
assert slugify("Already-Fine 2") == "already-fine-2"
assert slugify("!!!") == ""
