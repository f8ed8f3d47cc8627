"""From a command line to the simple commands in it.

What the grammar has and this does not know by name makes the whole unclear: a shell may read it as something to run.
"""

import os
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from agentic import CommandReading, SimpleCommand
from agentic.lib.patterns import late_pattern
from plugins_builtin.shell_reader import dangers
from plugins_builtin.shell_reader.good import OWN, is_known, unknown
from plugins_builtin.shell_reader.tables import GOOD_VARIABLES, HAZARDS, INERT, NEEDS
from plugins_builtin.shell_reader.words import LEAVES, ODD, odd, source_of, spelled, text_of
from plugins_builtin.shell_reader.wrappers import Inner, inner_of

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

_SYSTEM_FOLDERS = {"/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/opt/homebrew/bin"}
MAX_LENGTH = 20_000
MAX_COMMANDS = 500
MAX_DEPTH = 8  # of command lines within command lines
# What holds other commands and starts nothing itself.
_HOLDERS = {
    "program", "list", "pipeline", "compound_statement", "subshell", "do_group", "if_statement", "elif_clause", "else_clause",
    "for_statement", "while_statement", "case_statement", "case_item", "negated_command", "redirected_statement", "heredoc_body",
    "file_redirect", "heredoc_redirect", "herestring_redirect", "string", "concatenation", "command_substitution",
    "process_substitution",
    "command_name",
    "variable_assignment", "declaration_command", "unset_command", "test_command", "unary_expression", "binary_expression",
    "parenthesized_expression", "array", "arithmetic_expansion", "expansion", "simple_expansion",
}  # fmt: skip
_NO_WORDS = {"variable_assignment", "file_redirect", "heredoc_redirect", "herestring_redirect"}
_ENVIRONMENT = late_pattern(r"(?:[\w.-]+/)*(?:\.?venv|env|node_modules/\.bin)/(?:bin/)?[\w.-]+")


@lru_cache(maxsize=1)
def _parser() -> "Parser":
    import tree_sitter_bash
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_bash.language()))


def _own_program(word: str) -> str:
    """The path of a program that is not one of the system's, "" for the others."""
    folder = os.path.dirname(word)
    return "" if not folder or os.path.normpath(folder) in _SYSTEM_FOLDERS else word


class ShellReader:
    def read(self, command: str, root: Path) -> CommandReading:
        return _Reading(root).of(command)


class _Reading:
    """A command line in the making."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = str(root)
        self._commands: dict[SimpleCommand, None] = {}
        self._writes: dict[str, None] = {}
        self._unclear: dict[str, None] = {}
        self._dangers: dict[str, None] = {}
        self._functions: set[str] = set()
        self._sets = False

    def of(self, command: str) -> CommandReading:
        self._line(command, 0)
        needs = {need for each in self._commands for need in _needs(each.words)}
        return CommandReading(
            tuple(self._commands), tuple(self._writes), "; ".join(self._unclear), tuple(self._dangers), frozenset(needs), self._sets
        )

    def _line(self, command: str, depth: int) -> None:
        if len(command) > MAX_LENGTH or depth > MAX_DEPTH:
            self._is_unclear("it is too long to be read" if depth <= MAX_DEPTH else "it is nested too deeply to be read")
            return
        if ODD.search(command):
            self._is_unclear("it has characters that shells and people read in different ways")
        try:
            tree = _parser().parse(spelled(command).encode())
        except ValueError:
            self._is_unclear("it cannot be parsed")
            return
        if tree.root_node.has_error:
            self._is_unclear("it cannot be parsed")
        self._walk(tree.root_node, depth)
        if "\\\n" in command:  # a shell joins the lines, in the middle of a word too; the parser splits the word there
            self._line(command.replace("\\\n", ""), depth)

    def _walk(self, top: "Node", depth: int) -> None:
        waiting = [top]
        while waiting:
            node = waiting.pop()
            if node.type == "command":
                self._command(node, depth)
            elif node.type == "function_definition":
                self._function(node)
            elif node.type == "file_redirect":
                self._redirect(node)
            elif node.type == "variable_assignment":
                self._assignment(node)
            elif node.is_named and node.type not in _HOLDERS and node.type not in LEAVES:
                self._is_unclear(f"it has a part that is not understood ({node.type.replace('_', ' ')})")
            elif why := odd(node):
                self._is_unclear(why)
            if node.type in ("for_statement", "declaration_command", "unset_command"):
                self._variables(node)
            waiting += reversed(node.children)

    def _variables(self, node: "Node") -> None:
        """Notes that a loop or a declaration sets variables, and what is unclear about it."""
        self._sets = True
        for child in node.children:
            if child.type == "variable_name" and not GOOD_VARIABLES.fullmatch(source_of(child)):
                self._is_unclear(f"{source_of(child)} may change what other programs do")
            if node.type != "for_statement" and child.is_named and child.type not in ("variable_name", "variable_assignment"):
                self._is_unclear("it sets variables in a way that is not understood")

    def _command(self, node: "Node", depth: int) -> None:
        name = node.child_by_field_name("name")
        parts = [child for child in node.children if child.is_named and child.type not in _NO_WORDS]
        words = [text_of(part) for part in parts]
        if name is None or not words:
            self._is_unclear("it has no program")
        elif words[0] is None or re.search(r"[*?\[]", source_of(name)):
            self._is_unclear("the program's name is made up only when it runs")
        else:
            in_pipe = _reads_from_pipe(node)
            self._started([words[0], *words[1:]], depth, in_pipe)

    def _started(self, words: Sequence[str | None], depth: int, in_pipe: bool = False) -> None:
        """A simple command; a word is None where it is made up only when it runs."""
        name = os.path.basename(str(words[0]))
        known = tuple(word if word is not None else "\0" for word in (name, *words[1:]))
        if len(self._commands) >= MAX_COMMANDS:
            self._is_unclear("it has too many commands")
            return
        inner = inner_of(known, in_pipe)
        shown = tuple(word.replace("\0", "…") for word in known)
        path = _own_program(str(words[0]))
        is_stranger = self._is_stranger(name, path, inner)
        self._commands[SimpleCommand(shown, inner.transparent, path, None in words[1:], is_stranger)] = None
        if not (is_stranger or inner.is_known) and (why := unknown(name, known[1:], self._root)):
            self._is_unclear(why)
        if None in words[1:] and name not in INERT:
            self._is_unclear(f"words of `{name}` are made up only when it runs")
        if name in self._functions:
            self._is_unclear(f"`{name}` is not the program of that name")
        if inner.why:
            self._is_unclear(inner.why)
        for pattern, why in HAZARDS.get(name, ()):
            if any(re.search(pattern, word) for word in known[1:]):
                self._is_unclear(f"`{name}` {why}")
        for danger in dangers.of(known, Path(self._folder), self._root):
            self._dangers[danger] = None
        self._inner(inner, depth)
        if name in ("cd", "pushd"):
            target = next((word for word in known[1:] if not word.startswith(("-", "+"))), "~" if name == "cd" else ".")
            self._folder = os.path.normpath(os.path.join(self._folder, os.path.expanduser(target)))

    def _is_stranger(self, name: str, path: str, inner: Inner) -> bool:
        """True if nothing is known of the program: a file of the project is not what has its name in the system."""
        if inner.is_known:
            return False
        return not is_known(name) or bool(path and name not in OWN and not _ENVIRONMENT.fullmatch(os.path.normpath(path)))

    def _inner(self, inner: Inner, depth: int) -> None:
        for line in inner.lines:
            self._line(line, depth + 1)
        for words in inner.commands:
            if words and "\0" not in words[0]:
                self._started([None if "\0" in word else word for word in words], depth + 1)
            else:
                self._is_unclear("the program's name is made up only when it runs")

    def _function(self, node: "Node") -> None:
        name = node.child_by_field_name("name")
        called = source_of(name) if name else ""
        self._functions.add(called)
        body = source_of(node).partition("{")[2]
        if called and re.search(rf"(?<!\w){re.escape(called)}(?!\w)", body):
            self._dangers["a function that starts itself over and over"] = None

    def _redirect(self, node: "Node") -> None:
        sign = next((source_of(child) for child in node.children if not child.is_named), "")
        target = node.child_by_field_name("destination")
        text = text_of(target) if target is not None else None
        if (sign in ("<", "<&", ">&") and (text or "").strip("-").isdigit()) or sign == "<":
            return
        if text is None:
            self._is_unclear("the file that it writes is made up only when it runs")
        elif text not in ("/dev/null", "/dev/stdout", "/dev/stderr", "/dev/tty"):
            path = os.path.normpath(os.path.join(self._folder, os.path.expanduser(text)))
            self._writes[path] = None
            if danger := dangers.of_write(path):
                self._dangers[danger] = None

    def _assignment(self, node: "Node") -> None:
        name = node.child_by_field_name("name")
        self._sets = True
        if name is None or not GOOD_VARIABLES.fullmatch(source_of(name)):
            self._is_unclear(f"{source_of(name) if name else 'it'} may change what other programs do")

    def _is_unclear(self, why: str) -> None:
        self._unclear[why] = None


def _reads_from_pipe(node: "Node") -> bool:
    """True if something else writes its input: what comes before it in a pipeline, a here-document, a file."""
    while node.parent is not None and node.parent.type in ("redirected_statement", "pipeline", "subshell", "compound_statement"):
        parent = node.parent
        if parent.type == "pipeline" and parent.children[0].start_byte != node.start_byte:
            return True
        if parent.type == "redirected_statement" and any(
            child.type in ("heredoc_redirect", "herestring_redirect") or source_of(child).lstrip("0").startswith("<")
            for child in parent.children[1:]
        ):
            return True
        node = parent
    return False


def _needs(words: Sequence[str]) -> Iterator[str]:
    for need, patterns in NEEDS.items():
        line = " ".join(words)
        if any(re.match(pattern, line) for pattern in patterns):
            yield need
