"""After an edit: the file is put into its formatter's form, and the model reads which errors the edit added.

Only programs that are installed are used, and nothing is downloaded. What a project could make run its own code through (language
servers, prettier's plugins) is used where the user names it.
"""

from dataclasses import replace

from agentic import AgenticError, Options, PluginInfo, Section, Setup, ToolOutput, Workspace, hookimpl, setting

SECONDS = 60.0  # language servers take a while to start; each wait has its own limit
MAX_FILES = 8  # of one edit that are looked at
MAX_BYTES = 1_000_000


class AfterEditOptions(Section):
    """`[plugin.after_edit]`"""

    format: str = setting(
        "auto",
        "auto: a file that was formatted stays so, in modes that do not ask about edits; always; never",
        scope="user",
        choices=("auto", "always", "never"),
    )
    formatters: tuple[str, ...] = setting(
        (), 'further formatters, from the standard input to the output: "*.js=prettier --stdin-filepath {path}"', scope="user"
    )
    servers: tuple[str, ...] = setting(
        ("ruff",), 'language servers: ruff, pyright, gopls, rust-analyzer, typescript, or "*.zig=zls"', scope="user"
    )


@hookimpl
def agentic_plugin() -> PluginInfo:
    return PluginInfo(Options(AfterEditOptions), seconds=SECONDS)


@hookimpl
async def agentic_after_tool(output: ToolOutput, workspace: Workspace, setup: Setup) -> ToolOutput | None:
    written = [change.path for change in output.changes if change.kind in ("created", "updated")][:MAX_FILES]
    if not written:
        return None
    notes, problems = [], list(output.problems)
    for path in written:
        try:
            before, after = workspace.originals.get(path), workspace.current(path, MAX_BYTES).data
            note = await _formatted(setup, workspace, path, before, after)
            problems += await _added(setup, workspace, path, before)
        except AgenticError:  # gone by now, or too large: the edit itself is done
            continue
        notes += [note] if note else []
    if not notes and len(problems) == len(output.problems):
        return None
    return replace(output, text="\n".join([output.text, *notes]), problems=tuple(problems))


async def _formatted(setup: Setup, workspace: Workspace, path: str, before: bytes | None, after: bytes) -> str:
    """Formats the file, and returns a note on it, "" where nothing was done."""
    options = setup.options
    asks = (setup.settings.approval.mode or "ask") in ("ask", "none")
    if options.format == "never" or (options.format == "auto" and asks):  # what was approved is what is written
        return ""
    from plugins_builtin.after_edit.formatters import formatted, formatter_for

    formatter = formatter_for(path, workspace.root, options.formatters)
    if formatter is None:
        return ""
    data = await formatted(formatter, path, workspace.root, before, after, options.format == "always")
    if data is None or data == after:
        return ""
    workspace.write(path, data)
    return f"({path} was formatted with {formatter.name}.)"


async def _added(setup: Setup, workspace: Workspace, path: str, before: bytes | None) -> list[str]:
    if workspace.root != setup.root.resolve():  # a worktree of a sub-agent, which is gone soon
        return []
    from plugins_builtin.after_edit.servers import servers_for

    found: list[str] = []
    for server in servers_for(path, workspace.root, setup.options.servers):
        found += await server.added(path, before, workspace.current(path, MAX_BYTES).data, setup.emit)
    return found
