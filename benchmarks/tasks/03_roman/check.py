import sys

sys.path.insert(0, sys.argv[1])

from roman import to_roman

for number, text in {1: "I", 4: "IV", 9: "IX", 40: "XL", 90: "XC", 400: "CD", 1994: "MCMXCIV", 3999: "MMMCMXCIX"}.items():
    assert to_roman(number) == text, (number, to_roman(number))
for number in (0, -1, 4000):
    try:
        to_roman(number)
    except ValueError:
        continue
    raise AssertionError(number)
