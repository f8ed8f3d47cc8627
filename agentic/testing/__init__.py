"""For plugin authors and our own tests: a server that speaks vLLM's wire, scripted and faulty at will.

with FakeVLLM() as server:
    server.say("Hello")
    subprocess.run(["agentic", "ask", "hi", "--endpoint", server.url])
"""

from agentic.testing.answers import Answer, Request, answer, error, tool_call
from agentic.testing.fake_vllm import FakeVLLM

__all__ = ["Answer", "FakeVLLM", "Request", "answer", "error", "tool_call"]
