"""Does a task ask for a change of files? By its words, in English and Korean; a doubt means no."""

import re

from agentic.lib.patterns import late_pattern

MOST_CHARACTERS = 4_000  # of a task: what it wants stands at its beginning
_CLAUSES = late_pattern(r"[.!?;:,][ \t]+|[\n]+|[ \t]+(?:and|then)[ \t]+")
_SENTENCES = late_pattern(r"(?<=[.!?;:])[ \t]+|\n+")
_ASKS = late_pattern(
    r"(?:what|why|how|when|where|which|who|whose|is|are|was|were|does|do|did|has|have|should i|may i|would it"
    r"|(?:can|could|would|will) (?!you\b))\b",
    re.IGNORECASE,
)
_OF_SOMEBODY = late_pattern(r"(?:can|could|would|will) you\b", re.IGNORECASE)
_LEADS = late_pattern(
    r"(?:[-*•>\s]+|\d+[.)]\s|(?:please|now|next|first|finally|also|just|so|ok|okay|then|and|kindly)\b,?\s*"
    r"|(?:can|could|would|will) you\s|i(?: would|['’]d) like you to\s|i (?:want|need) you to\s"
    r"|you (?:should|must|have to|need to)\s|let['’]?s\s|let us\s|help me (?:to )?|(?:in|inside|within) [\w./-]+,?\s)",
    re.IGNORECASE,
)
_NO_FILE = (
    r"(?:branch|tag|commit|pull request|pr|issue|ticket|release|message|description|regex\w*|summary|table|explanation|overview"
    r"|haiku|poem|joke|story|essay|letter|e?mail|review|report|answer|guess|plan|list|overview|one-liner|command)"
)
_CHANGES = late_pattern(
    r"(?:fix|repair|correct|add|insert|append|remove|delete|rename|move|replace|change|update|edit|modify|adapt|convert|port|migrate"
    r"|upgrade|refactor|rewrite|simplify|optimi[sz]e|improve|implement|extend|scaffold|set up|develop"
    r"|(?:make|write|build|create|generate|produce)"
    r"(?!\s+(?:it|sure|sense|the (?:project|code|image)|tests?\b(?! for)|clean|all)\b))"
    r"\s+(?!\d|(?:nothing|no|of|on|me|fails?|failed|is|was)\b)"
    rf"(?!(?:[\w'’-]+\s+){{0,4}}{_NO_FILE}s?\b)\S",
    re.IGNORECASE,
)
_KOREAN = late_pattern(
    r"(?:만들|구현|개발|작성|생성|고[쳐치]|수정|추가|바[꿔꾸]|변경|삭제|제거|옮[기겨]|교체)"
    r"(?:어|해|하고|고|하여)?\s*(?:줘|주세요|주십|줄래|주실|주면|하라|하세요|해라|싶)"
)


def wants_change(task: str) -> bool:
    """True if it says to somebody that something be changed.

    >>> wants_change("fix the bug in a.py"), wants_change("how do I fix the bug?"), wants_change("버그를 고쳐줘")
    (True, False, True)
    """
    said = task[:MOST_CHARACTERS]
    return _KOREAN.search(said) is not None or any(map(_is_wish, _SENTENCES.split(said)))


def _is_wish(sentence: str) -> bool:
    clauses = _CLAUSES.split(sentence)
    if _ASKS.match(sentence.lstrip()):  # of what follows a question only what is asked of somebody counts
        clauses = [clause for clause in clauses if _OF_SOMEBODY.match(clause)]
    return any(_CHANGES.match(_without_leads(clause)) for clause in clauses)


def _without_leads(clause: str) -> str:
    while (lead := _LEADS.match(clause)) and lead.end():
        clause = clause[lead.end() :]
    return clause
