"""The plugin's own keys."""

from agentic import Section, setting


class LocalOptions(Section):
    model: str = setting("qwen2.5-coder-1.5b", "the embedded engine's model: a name or a FILE.gguf")
    context: int = setting(8192, "window of the embedded engine in tokens", "lower", minimum=512)
    parallel: int = setting(2, "requests that the embedded engine serves at once", "lower", minimum=1)
    threads: int = setting(0, "0: all cores", "lower")
