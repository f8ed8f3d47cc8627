"""The words of a command line as the shell would make them, where that is certain."""

import re
from typing import TYPE_CHECKING

from agentic.lib.patterns import late_pattern
from plugins_builtin.shell_reader.tables import KNOWN_VARIABLES

if TYPE_CHECKING:
    from tree_sitter import Node

ODD = late_pattern(r"[^\S \t\n]|[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
_CALCULATES = late_pattern(r"[\d\s+*/%()<>=!&|^~,?:-]*")  # numbers: a name's value would be calculated, too

_EXPANSION = late_pattern(r"\$\{#?\w+(?:(?::?[-+=?]|%%?|##?|//?|\^\^?|,,?)[\w./:*@, -]*)?\}")
_TEXTS = {
    "word",
    "string_content",
    "heredoc_content",
    "heredoc_body",
    "regex",
    "extglob_pattern",
    "brace_expression",
    "variable_name",
}

LEAVES = {
    "word", "number", "raw_string", "string_content", "comment", "variable_name", "special_variable_name", "file_descriptor",
    "test_operator", "heredoc_start", "heredoc_content", "heredoc_end", "extglob_pattern", "regex",
    "brace_expression",
}  # fmt: skip

# The grammar's scanner asks C's tables about each character, and reads past their end for those beyond Latin-1: it crashes.
_DIGITS = {ord(digit): 0xE0 + number for number, digit in enumerate("0123456789abcdef")}
_SPELLED = late_pattern("\u00c0([\u00e0-\u00ef]{6})")


def spelled(command: str) -> str:
    """The command with a word of Latin-1 letters for each character beyond ASCII."""
    return re.sub("[^\x00-\x7f]", lambda found: "\u00c0" + f"{ord(found[0]):06x}".translate(_DIGITS), command)


def _read(letters: str) -> str:
    """The character that `spelled` wrote so; what cannot be written anywhere is replaced."""
    number = int("".join(f"{ord(letter) - 0xE0:x}" for letter in letters), 16)
    return chr(number).encode("utf-8", "replace").decode()


def odd(node: "Node") -> str:
    """Why a part of a line, or a text in it, may be read in another way than here; "" where it cannot."""
    source = source_of(node)
    if node.type == "expansion" and not _EXPANSION.fullmatch(source):
        return "it has a part that may run what a variable holds"
    if node.type == "arithmetic_expansion" and not _CALCULATES.fullmatch(source.strip("$[]()")):
        return "it has a part that may run what a variable holds"
    if node.type == "test_command" and re.search(r"[|&;<>`\n]|\$\(|\( |\bif\b", source):
        return "it has a test that shells read in different ways"
    if node.type == "test_command" and _calculates_names(source):
        return "it has a test that calculates what a variable holds"
    if node.type == "array" and "[" in source:
        return "it has a part that may run what a variable holds"
    if node.type == "heredoc_start" and not re.fullmatch(r"""-?(?:\w+|'\w+'|"\w+"|\\\w+)""", source):
        return "it has a text whose end shells see in different places"
    if node.type == "compound_statement" and source.startswith("(("):  # sh starts what bash calculates
        return "it has a part that shells read in different ways"
    if node.type == "command_substitution" and source.startswith("`") and "\\" in source:
        return "it has backticks within backticks"
    if node.type in _TEXTS and re.search(r"(?<!\\)(?:`|\$\()", source):
        return "it has a part that shells read in different ways"
    return ""


_COMPARES = late_pattern(r"""(?<!\S)(\S+)\s+-(?:eq|ne|lt|gt|le|ge)\s+(\S+)""")
_NUMBER = late_pattern(r"""-?\d+|"?\$(?:[?#$!]|\{#\w+\})"?""")


def _calculates_names(source: str) -> bool:
    """True if a test compares as numbers what it does not show, or asks for a variable that it does not name: bash runs both."""
    if re.search(r"(?<!\S)-[vR]\s+(?!\w+(?:\s|$))", source):
        return True
    if not source.startswith("[["):
        return False
    return any(not _NUMBER.fullmatch(each) for pair in _COMPARES.findall(source) for each in pair)


def source_of(node: "Node") -> str:
    return _SPELLED.sub(lambda found: _read(found[1]), (node.text or b"").decode("utf-8", "replace"))


def text_of(node: "Node") -> str | None:
    """A word as the program gets it; None where that is made up only when it runs."""
    source = source_of(node)
    if source == "{}":  # what `find` and `xargs` fill in
        return source
    if node.type in ("command_name", "concatenation"):
        parts = [text_of(child) for child in node.children if child.is_named]
        if "{" in source and any(child.type == "word" and source_of(child) in "{}" for child in node.children):
            return None
        return None if None in parts else "".join(part for part in parts if part is not None)
    if node.type in ("word", "number", "extglob_pattern"):
        return re.sub(r"\\(\n|.)", lambda match: "" if match[1] == "\n" else match[1], source, flags=re.DOTALL)
    if node.type == "raw_string":
        return source[1:-1]
    if node.type == "string":
        return _quoted(node, source)
    if node.type == "simple_expansion":
        return KNOWN_VARIABLES.get(source[1:], lambda: None)()
    if node.type == "expansion" and re.fullmatch(r"\$\{\w+\}", source):
        return KNOWN_VARIABLES.get(source[2:-1], lambda: None)()
    return None


def _quoted(node: "Node", source: str) -> str | None:
    inside = [child for child in node.children if child.is_named and child.type != "string_content"]
    text = source[1:-1]
    for child in inside:
        value = text_of(child)
        if value is None:
            return None
        text = text.replace(source_of(child), value, 1)
    return re.sub(r'\\([$`"\\\n])', lambda match: "" if match[1] == "\n" else match[1], text)
