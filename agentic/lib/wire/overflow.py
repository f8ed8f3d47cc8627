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
    ("vLLM, OpenAI", rf"maximum (?:context|model) length:? ?(?:is |of )?\(?{_LIMIT}"),
    ("vLLM", rf"context length is only {_LIMIT}"),
    ("vLLM, TensorRT-LLM", rf"maximum input length (?:of )?\(?{_LIMIT}"),
    ("vLLM, OpenAI", r"maximum context length|maximum model length|max_model_len"),
    ("vLLM", r"contains \d+ characters \(more than|max_tokens must be at least 1, got -"),
    ("llama.cpp", rf"exceeds the available context size \(?{_LIMIT}"),
    ("llama.cpp", r"exceeds? (?:the )?available context|exceed_context_size|context size has been exceeded"),
    ("Ollama", r"exceeded max(?:imum)? context length|prompt (?:is )?too long(?! for cache)"),
    ("Ollama", r"(?:input|prompt) (?:length )?(?:exceeds|is longer than) the (?:maximum )?context"),
    ("LM Studio", rf"n_keep:? *\(?\d+\)? *>= *n_ctx:? *\(?{_LIMIT}"),
    ("LM Studio", r"tokens to keep from the initial prompt is greater than the context length"),
    ("LM Studio", rf"context length of only {_LIMIT} tokens|context overflow|reached context length"),
    ("SGLang", rf"longer than the model's context length \(?{_LIMIT}"),
    ("SGLang", rf"exceeds the (?:model's )?(?:maximum )?context(?: length| window)?(?: of)? \(?{_LIMIT}"),
    ("SGLang", rf"exceeds the maximum allowed length \({_LIMIT}"),
    ("SGLang", r"(?:is|are) longer than the model's context"),
    ("TGI", rf"`inputs` tokens \+ `max_new_tokens` must be <= {_LIMIT}"),
    ("TGI", rf"`inputs` must have less than {_LIMIT}"),
    ("TensorRT-LLM", rf"max_(?:seq_len|num_tokens) \({_LIMIT}\)"),
    ("TensorRT-LLM", r"exceeds? (?:the )?max_(?:seq|input)_len|prompt length.*exceeds? max"),
    ("LiteLLM, Anthropic", rf"\d+ tokens > {_LIMIT} maximum"),
    ("Anthropic", rf"exceed context limit: [\d +]+> {_LIMIT}"),
    ("LiteLLM", r"ContextWindowExceeded|context_length_exceeded"),
    ("Bedrock", r"input is too long for (?:the )?requested model"),
    ("xAI", rf"maximum prompt length is {_LIMIT}"),
    ("DashScope", rf"range of input length should be \[\d+, *{_LIMIT}\]"),
    ("Moonshot", rf"exceeded model token limit:? *{_LIMIT}"),
    ("Gemini", rf"only supports up to {_LIMIT}|maximum number of tokens allowed \({_LIMIT.replace('limit', 'other')}"),
    ("MiniMax, GLM", r"context window exceeds limit|prompt exceeds max(?:imum)? length"),
    ("Copilot", rf"prompt token count of \d+ exceeds the limit of {_LIMIT}"),
    ("TabbyAPI", rf"greater than max_seq_len {_LIMIT}"),
    ("OpenAI", rf"exceed the configured limit of {_LIMIT}"),
    ("Groq", rf"request too large for model.*limit {_LIMIT}, requested"),
    ("Cohere", rf"number of tokens in the prompt cannot exceed {_LIMIT}"),
    ("others", rf"too large for model with {_LIMIT} maximum context"),
    ("others", rf"(?:exceeds|longer than) the model's context(?: length)?:? \(?(?:\d+ > )?{_LIMIT}"),
    ("others", rf"(?:maximum sequence length|context length)[^.]*\d+ > {_LIMIT}"),
    ("others", rf"(?:input|prompt) too long: \d+ tokens, limit {_LIMIT}|session length {_LIMIT.replace('limit', 'other')}"),
    ("others", rf"prompt has \d+ tokens, which is more than the {_LIMIT}"),
    ("others", rf"PromptTooLong\W*(?:input \d+ max {_LIMIT})?"),
    ("others", rf"context (?:length|window|size)(?: limit)?(?: is| of)? {_LIMIT}"),
    ("others", rf"{_EXCEEDS}(?:context|input tokens?|input length)(?: length| window| size| limit)?"),
    ("others", r"(?:too many|exceeds? the (?:limit|maximum) (?:number )?of) (?:input |prompt )?tokens"),
    ("others", r"(?:input|prompt|request|conversation) is too (?:long|large) for (?:the |this )?(?:model|context)"),
    ("others", r"reduce the length of the (?:messages|prompt|input)|more than max tokens allowed|exceed max message tokens"),
)
# What is about something else, though its words are alike: how often one asks, a field, another part of the request.
_ELSE = (
    r"rate.?limit|slow down|per (?:minute|day|hour)|quota|unknown parameter|unrecognized|cache_control|tool description"
    r"|content\.\d+\.text"
)
_FIELDS = ("n_ctx", "max_model_len", "max_context_length", "context_length")


def named_limit(error: object) -> int:
    """The window in a field of an error's own, as llama.cpp has one; 0 for none."""
    found = [error[name] for name in _FIELDS if isinstance(error.get(name), int)] if isinstance(error, dict) else []
    return found[0] if found and 0 < found[0] < 1 << 31 else 0


def overflows(message: str, kind: str, code: str, param: str) -> bool:
    """True where the words, a code or the parameter say that the prompt is too long; a refused field is none of it."""
    if {kind, code} & CODES or param in PARAMS:
        return True
    if _search(_ELSE, message) and not _search("request too large for model", message):
        return False
    return any(_search(words, message) for _, words in WORDINGS)


def limit_in(message: str) -> int:
    """The window in tokens that the words name, 0 where they name none."""
    for _, words in WORDINGS:
        found = _search(words, message)
        if found and (number := found.groupdict().get("limit") or found.groupdict().get("other")):
            return int(number.replace(",", ""))
    return 0


def _search(words: str, message: str) -> "re.Match[str] | None":
    """Compiled when a server refuses something, not at each start."""
    return re.search(words, message, re.IGNORECASE)
