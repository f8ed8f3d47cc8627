"""For plugin authors and our own tests: a server that speaks vLLM's wire, scripted and faulty at will; a plugin in this process.

with FakeVLLM() as server:
    server.say("Hello")
    subprocess.run(["agentic", "ask", "hi", "--endpoint", server.url])
"""

from agentic.testing.answers import Answer, Request, answer, error, tool_call
from agentic.testing.fake_vllm import FakeVLLM
from agentic.testing.fork_server import ForkServer
from agentic.testing.in_process import ScriptedLlm, host_with, make_setup, settings_with
from agentic.testing.runs import run_in_process

__all__ = [
    "Answer",
    "FakeVLLM",
    "ForkServer",
    "Request",
    "ScriptedLlm",
    "answer",
    "error",
    "host_with",
    "make_setup",
    "run_in_process",
    "settings_with",
    "tool_call",
]
