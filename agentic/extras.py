"""The distribution on the package index, and how its optional parts are installed."""

DISTRIBUTION = "agentic-vllm"  # `agentic` on the index is somebody else's


def pip_install(extra: str) -> str:
    """The command that adds an extra, from where agentic itself came: "pip install 'agentic-vllm[local]'", or a checkout's path."""
    import json
    from importlib.metadata import PackageNotFoundError, distribution
    from urllib.parse import unquote, urlsplit

    try:
        source = json.loads(distribution(DISTRIBUTION).read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        source = {}
    if "dir_info" not in source:
        return f"pip install '{DISTRIBUTION}[{extra}]'"
    editable = "-e " if source["dir_info"].get("editable") else ""
    return f"pip install {editable}'{unquote(urlsplit(source['url']).path)}[{extra}]'"
