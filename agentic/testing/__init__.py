"""For plugin authors and our own tests: a server that speaks vLLM's wire, scripted and faulty at will; a plugin in this process.

with FakeVLLM() as server:
    server.say("Hello")
    subprocess.run(["agentic", "ask", "hi", "--endpoint", server.url])
"""

import warnings
from typing import Any

from agentic.testing.answers import Request, ScriptedAnswer, answer, error, tool_call
from agentic.testing.fake_vllm import FakeVLLM
from agentic.testing.fork_server import ForkServer
from agentic.testing.in_process import ScriptedLlm, host_with, make_setup, settings_with
from agentic.testing.runs import run_in_process

__all__ = [
    "FakeVLLM",
    "ForkServer",
    "Request",
    "ScriptedAnswer",
    "ScriptedLlm",
    "answer",
    "error",
    "host_with",
    "make_setup",
    "run_in_process",
    "settings_with",
    "tool_call",
]


def __getattr__(name: str) -> Any:
    """Gives a class by the name that it had until 0.1, with a warning."""
    if name != "Answer":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    words = "agentic.testing.Answer is ScriptedAnswer now; the old name goes with the next minor version"
    warnings.warn(words, DeprecationWarning, stacklevel=2)
    return ScriptedAnswer
