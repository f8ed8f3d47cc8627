"""The plugin's own keys: what `agentic serve` writes, and what the prompt layout keeps stable."""

from agentic import Section, setting


class VllmOptions(Section):
    enable_prefix_caching: bool = setting(True, "what `agentic serve` writes", "select")
    ports: tuple[str, ...] = setting(
        ("8001", "8002", "8000", "8080", "11434", "1234"), "at which servers are looked for where none is named"
    )
    hosts: tuple[str, ...] = setting(("localhost",), "machines whose ports are looked at")
    log_requests: str = setting("", "a file for all requests and answers as they go over the wire, without keys")
    prefix_cache_size: int = setting(1024, "tokens of the common prefix that stay stable", "select", minimum=1)
    common_prefixes: tuple[str, ...] = setting(("system_prompt", "workflow_context"), "what the prompt keeps stable", "select")
    exact_prompts: bool = setting(
        True, "whether gpt-oss's next prompt goes as the ids of the last one and its answer, so that nothing is computed twice"
    )
