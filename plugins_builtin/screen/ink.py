"""Markdown, coloured as it streams: what is written is never written again, so the work grows with the text alone."""

RESET, BOLD, DIM, CODE, HEADING = "\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[36m", "\x1b[1;35m"
_FENCES = ("```", "~~~")
_MAX_HEADING = 6


class Ink:
    """Feed it text, get the text with colours. Held back is only what cannot be judged yet: a line's first marks, a lone `*`."""

    def __init__(self) -> None:
        self._fence = ""
        self._line = ""
        self._held = ""
        self._starting = True
        self._bold = self._code = False

    def feed(self, text: str) -> str:
        """The text so far decided, with colours."""
        out = []
        for piece in (self._held + text).splitlines(keepends=True):
            out.append(self._piece(piece))
        return "".join(out)

    def end(self) -> str:
        """What was held back, and the colours switched off."""
        rest, self._held = self._held, ""
        self.__init__()  # type: ignore[misc]
        return f"{rest}{RESET}"

    def _piece(self, piece: str) -> str:
        self._held = ""
        out = ""
        if self._starting:
            if not piece.endswith("\n") and self._undecided(piece):
                self._held = piece
                return ""
            out = self._start_line(piece)
            self._starting = False
        out += piece if self._line else self._inline(piece)
        if piece.endswith("\n"):
            out = out[:-1] + (RESET if self._line or self._bold or self._code else "") + "\n"
            self._starting, self._line = True, ""
            self._bold = self._code = False
        return out

    def _undecided(self, start: str) -> bool:
        """Whether a line that begins so could still become a fence or a heading."""
        bare = start.lstrip(" ")
        if self._fence:
            return self._fence.startswith(bare) or not bare.strip(self._fence[0])
        return not bare or any(fence.startswith(bare) for fence in _FENCES) or (not bare.strip("#") and len(bare) <= _MAX_HEADING)

    def _start_line(self, line: str) -> str:
        bare = line.strip()
        if self._fence:
            closes = bare.startswith(self._fence) and not bare.strip(self._fence[0])
            self._fence = "" if closes else self._fence
            self._line = DIM if closes else CODE
        elif bare.startswith(_FENCES):
            self._fence = bare[:3]
            self._line = DIM
        elif bare.startswith("#") and line.lstrip(" ").lstrip("#").startswith((" ", "\n")):
            self._line = HEADING
        return self._line

    def _inline(self, text: str) -> str:
        if "`" not in text and "*" not in text:
            return text
        if (len(text) - len(text.rstrip("*"))) % 2:  # another one may make a pair of it
            text, self._held = text[:-1], "*"
        out = []
        for i, span in enumerate(text.split("`")):
            if i:
                self._code = not self._code
                out.append(CODE if self._code else RESET + (BOLD if self._bold else ""))
            out.append(span if self._code else self._bolden(span))
        return "".join(out)

    def _bolden(self, text: str) -> str:
        out = []
        for i, span in enumerate(text.split("**")):
            if i:
                self._bold = not self._bold
                out.append(BOLD if self._bold else RESET)
            out.append(span)
        return "".join(out)
