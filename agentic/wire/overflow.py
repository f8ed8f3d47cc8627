"""How servers say that a prompt does not fit the model's window, and which window that is."""

import re

CODES = {"context_length_exceeded", "exceed_context_size_error", "context_window_exceeded", "model_max_prompt_tokens_exceeded"}
"""Codes and types by which OpenAI, OpenRouter, LiteLLM, llama.cpp and Azure say it."""

PARAMS = {"input_tokens", "input_text"}
"""What vLLM names as the parameter at fault."""

_LIMIT = r"(?P<limit>\d[\d,]*)"
_EXCEEDS = r"exceed(?:s|ed|ing)? (?:the |this |your )?(?:model's |model |maximum |max |token )*"
# (server, words); what they name as the window is the group `limit`.
WORDINGS: tuple[tuple[str, str], ...] = (
    ("vLLM, OpenAI", rf"maximum context length (?:is|of) {_LIMIT}"),
    ("vLLM, OpenAI", r"maximum context length|maximum model length|max_model_len"),
    ("vLLM", r"contains \d+ characters \(more than"),
    ("llama.cpp", rf"exceeds the available context size \(?{_LIMIT}"),
    ("llama.cpp", r"exceeds? (?:the )?available context|exceed_context_size|context size has been exceeded"),
    ("Ollama", r"exceeded max(?:imum)? context length|prompt (?:is )?too long"),
    ("Ollama", r"(?:input|prompt) (?:length )?(?:exceeds|is longer than) the (?:maximum )?context"),
    ("LM Studio", rf"greater than the context length \(n_keep: *\d+ *>= *n_ctx: *{_LIMIT}"),
    ("LM Studio", r"tokens to keep from the initial prompt is greater than the context length"),
    ("LM Studio", rf"context length of only {_LIMIT} tokens|context overflow|reached context length"),
    ("SGLang", rf"longer than the model's context length \(?{_LIMIT}"),
    ("SGLang", rf"exceeds the (?:model's )?(?:maximum )?context(?: length| window)?(?: of)? {_LIMIT}"),
    ("SGLang", r"(?:is|are) longer than the model's context"),
    ("TGI", rf"`inputs` tokens \+ `max_new_tokens` must be <= {_LIMIT}"),
    ("TGI", rf"`inputs` must have less than {_LIMIT}"),
    ("TensorRT-LLM", rf"max_seq_len \({_LIMIT}\)"),
    ("TensorRT-LLM", r"exceeds? (?:the )?max_(?:seq|input)_len|prompt length.*exceeds? max"),
    ("LiteLLM, Anthropic", rf"\d+ tokens > {_LIMIT} maximum"),
    ("LiteLLM", r"ContextWindowExceeded"),
    ("others", rf"too large for model with {_LIMIT} maximum context"),
    ("others", rf"context (?:length|window|size)(?: limit)?(?: is| of)? {_LIMIT}"),
    ("others", rf"{_EXCEEDS}(?:context|input)(?: length| window| size| limit)"),
    ("others", r"(?:too many|exceeds? the (?:limit|maximum) (?:number )?of) (?:input |prompt )?tokens"),
    ("others", r"(?:input|prompt|request|conversation) is too (?:long|large) for (?:the |this )?(?:model|context)"),
    ("others", r"reduce the length of the (?:messages|prompt|input)"),
)


def overflows(message: str, kind: str, code: str, param: str) -> bool:
    """True where the words, a code or the parameter say that the prompt is too long; a refused field is none of it."""
    return bool({kind, code} & CODES) or param in PARAMS or any(_search(words, message) for _, words in WORDINGS)


def limit_in(message: str) -> int:
    """The window in tokens that the words name, 0 where they name none."""
    for _, words in WORDINGS:
        found = _search(words, message)
        if found and (number := found.groupdict().get("limit")):
            return int(number.replace(",", ""))
    return 0


def _search(words: str, message: str) -> "re.Match[str] | None":
    """Compiled when a server refuses something, not at each start."""
    return re.search(words, message, re.IGNORECASE)
