"""Complexity by what a task says, in Korean and English: free, and the same every time.

Splitting pays on separable work and costs on all other work (arXiv 2512.08296: +81 % and -39 to -70 %): a doubt means one agent.
"""

import re

from agentic import Complexity, Llm
from plugins_builtin.complexity.wishes import wants_change

PARTS = {
    "frontend": r"front-?end|\breact\b|\bvue\b|angular|svelte|\bui\b|web ?page|프론트엔드|프런트엔드|화면",
    "backend": r"back-?end|fastapi|flask|django|express\b|\b(rest )?api\b|\bserver\b|백엔드|서버",
    "database": r"database|postgres\w*|mysql|sqlite|\bschema\b|데이터베이스|\bDB\b",
    "tests": r"\b(unit|integration|end-to-end|e2e)[ -]tests?\b|test suite|\btests\b|테스트",
    "documentation": r"documentation|user guide|\bdocs\b|\breadme\b|문서|설명서",
    "deployment": r"docker\w*|kubernetes|\bci\b|deployment|배포|도커",
    "command line": r"command[- ]line|\bcli\b|명령행|커맨드 ?라인",
    "mobile app": r"\b(ios|android|mobile) app|모바일 ?앱|안드로이드",
    "authentication": r"authentication|\blogin\b|\bauth\b|로그인|인증",
    "payments": r"payments?|checkout|billing|결제",
    "notifications": r"notifications?|e-?mail service|알림",
    "worker": r"\bworkers?\b|job queue|scheduler|작업 ?큐|스케줄러",
}
_WHOLE = r"full[- ]?stack|microservices?|풀 ?스택|마이크로서비스"
_BUILD = (
    r"\b(build|create|implement|develop|write|make|set up|design|scaffold|generate|produce|deliver)\b"
    r"|만들|구현|개발|작성|구축|설계|생성"
)
_QUESTION = (
    r"^\s*(what|why|how|when|where|which|who|is|are|does|do|can|could|should|explain|describe|tell|compare|summari[sz]e|review)\b"
    r"|\?\s*$|설명해|알려|무엇|뭐|왜|어떻게|비교해|요약해|인가요|일까|차이"
)
_ONE_AFTER_THE_OTHER = (
    r"\b(refactor|rename|migrat\w+|upgrade|convert|port|debug|fix|move|replace|optimi[sz]e|investigate)\b"
    r"|\b(then|after that|afterwards|step by step|first\b.*\bthen)\b"
    r"|리팩(터|토)링|이름을? ?(바꾸|변경)|마이그레이션|업그레이드|변환(해|하)|디버그|고쳐|고치"
    r"|수정|옮기|교체|최적화|그 ?다음|순서대로|차례로"
)
_SMALL = r"\b(simple|small|tiny|single|one|just|only|minimal)\b|간단|작은|하나의|한 ?개|만 (추가|바꿔)"
_EACH = r"\b(each|every|independent(ly)?|in parallel|separate(ly)?)\b|각각|각자|독립|병렬|따로"
_FILE = re.compile(r"\b[\w./-]+\.(?:py|js|ts|tsx|jsx|go|rs|sh|c|cpp|h|java|rb|md|html|css|sql|toml|ya?ml|json|txt)\b")
_ITEMS = re.compile(r"^[^\S\n]*(?:[-*•]|\d+[.)])\s+\S", re.MULTILINE)
_NAMED = re.compile(
    r"\d+\s*(?:independent |separate )?(?:modules|services|packages|tools|scripts|commands)|(?:모듈|서비스|스크립트|도구) ?\d+ ?개"
)
_LONG_TASK_WORDS = 120
_BASE, _PER_PART, _PER_ITEM, _LENGTH = 0.15, 0.2, 0.14, 0.3


class RulesEstimator:
    """Components, files, items, verbs and length."""

    async def estimate(self, task: str, llm: Llm) -> Complexity:
        return by_rules(task)


def by_rules(task: str) -> Complexity:
    """`separable` only for what is built anew, in several parts, without an order between them."""
    parts = tuple(name for name, pattern in PARTS.items() if _says(pattern, task))
    files = tuple(dict.fromkeys(_FILE.findall(task)))
    items = len(_ITEMS.findall(task))
    words = len(task.split())
    builds, asks, ordered = _says(_BUILD, task), _says(_QUESTION, task), _says(_ONE_AFTER_THE_OTHER, task)
    pieces = max(len(parts), items, len(files) if builds and not ordered else 0, 4 if _NAMED.search(task) else 0)
    score = _BASE + _PER_PART * max(0, len(parts) - 1) + _LENGTH * min(words / _LONG_TASK_WORDS, 1.0)
    score += _PER_ITEM * max(0, pieces - len(parts)) + 0.2 * _says(_WHOLE, task) + 0.1 * (_says(_EACH, task) and pieces > 2)
    reasons = [f"names {', '.join(parts)}" if parts else "names no component", f"{words} words"]
    separable = builds and pieces >= 3
    for holds, reason, most in (
        (asks and not builds, "it is a question", 0.2),
        (len(files) == 1, f"it is about {files[0] if files else ''}", 0.3),
        (ordered and not (builds and len(parts) >= 4), "its steps follow each other", 0.6),
        (_says(_SMALL, task) and len(parts) < 4, "it is said to be small", 0.4),
        (not builds, "nothing is to be built", 0.5),
    ):
        if holds:
            separable, score = False, min(score, most)
            reasons.append(reason)
    return Complexity(
        round(min(score, 1.0), 2),
        separable,
        tuple(reasons),
        parts,
        files if len(files) > 1 and not separable else (),
        changes=wants_change(task),
    )


def _says(pattern: str, task: str) -> bool:
    return re.search(pattern, task, re.IGNORECASE | re.DOTALL) is not None
