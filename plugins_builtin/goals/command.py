"""`agentic goal`: set one, go on with one, look at one, accept what was done to its checks, have one done again and again."""

import asyncio
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path

import click

from agentic import AgenticError, ConfigError, EndpointUnavailable, Settings, api
from agentic.commands import RunCommand, common_options
from agentic.commands.start import asker, can_ask, interruptible, prepared, screen_of
from agentic.config.edit import toml_text
from agentic.lib.files import files_below
from agentic.lib.loop import run
from agentic.lib.questions import Ask
from agentic.lib.sanitize import sanitize
from agentic.lib.terminal.asking import agreed
from agentic.lib.wire import leading_object
from agentic.sessions import Session
from plugins_builtin.goals.fixed import fixed_files, hushes
from plugins_builtin.goals.goal import FACT, Allowance, Goal, budget_of, configured, goal_of, keep
from plugins_builtin.goals.loop import WORDS, Pursuit, seconds_between
from plugins_builtin.goals.page import as_html, as_text
from plugins_builtin.goals.questions import GoalQuestions

_TIMES = {"1h": "0 * * * *", "1d": "0 3 * * *", "1w": "0 3 * * 0"}
MAX_NAMES = 60
EXAMPLE = 'agentic goal "all tests pass" --check "python -m pytest -q"'


@click.command("goal", cls=RunCommand, epilog="The manual: agentic docs goals")
@click.argument("text")
@click.argument("which", default="", metavar="[ID]")
@click.option("--check", "checks", multiple=True, metavar="COMMAND", help="A command that must succeed (repeatable).")
@click.option("--budget", "budgets", multiple=True, metavar="AMOUNT", help='A limit: 8h, "2M tokens", "200 turns" (repeatable).')
@click.option("--every", type=click.Choice([*_TIMES]), help="Prints a crontab line that repeats the goal this often.")
@click.option("--install", is_flag=True, help="With --every: puts the line into your crontab.")
@click.option("--html", "html_file", type=click.Path(path_type=Path, dir_okay=False), help="With show: writes a page.")
@common_options
def goal(
    root: Path,
    settings: Settings,
    text: str,
    which: str,
    checks: tuple[str, ...],
    budgets: tuple[str, ...],
    every: str | None,
    install: bool,
    html_file: Path | None,
) -> int:
    """Works until commands show that TEXT is reached. Changing the commands, or the tests that they run, does not count as success.

    `show`, `resume` and `accept` (accepts changes to the checks) act on an existing goal: this folder's latest, or that of the
    session ID. A goal needs a sandbox, or --no-sandbox.

    For example: agentic goal "all tests pass" --check "python -m pytest -q"
    """
    if text in ("show", "resume", "accept"):
        return _about(text, root, settings, which or _latest(root), html_file, budgets)
    if not text.strip() or "\n" in text or not all(check.strip() for check in checks):
        raise ConfigError("a goal is a line of text, and its checks are commands", EXAMPLE)
    if which:
        raise ConfigError(f"a goal is one argument, not {text!r} and {which!r}", f"agentic goal {shlex.quote(f'{text} {which}')} …")
    budget = budget_of(budgets)
    settings = prepared(root, _with_mode(settings))
    commands = checks or configured(settings) or _proposed(text, root, settings)
    made = Goal(text, commands, budget)
    if every:
        return _repeat(made, root, settings, budgets, every, install)
    return run(interruptible(_pursue(root, settings, made, "")))


def _with_mode(settings: Settings) -> Settings:
    """Nobody is there: what a sandbox holds is done, unless you said otherwise."""
    return settings if settings.approval.mode else settings.changed("approval.mode", "all", "goal")


def _say(text: str) -> None:
    click.echo("\n".join(f"goal: {sanitize(line)}" for line in text.split("\n") if line), err=True)


async def _resume(root: Path, settings: Settings, name: str, budget: Allowance | None) -> int:
    """Goes on with a goal; waits for a server that is away, as after a restart of the machine."""
    waits = seconds_between()
    while True:
        try:
            return await _pursue(root, settings, None, name, budget)
        except EndpointUnavailable as error:
            _say(f"{error}; trying again")
            await asyncio.sleep(next(waits))


async def _pursue(root: Path, settings: Settings, made: Goal | None, resume: str, budget: Allowance | None = None) -> int:
    questions, say = GoalQuestions(), _say
    ask = asker(settings) if settings.approval.mode != "all" else None
    screen = screen_of(settings, sys.stdout)
    async with api.open_conversation(root, settings, ask or questions, resume, screen) as conversation:
        session = conversation.session
        now = made or goal_of(session)
        now = replace(now, budget=budget or now.budget)
        if made is not None:
            session.set_metadata("title", made.text)
        say(f"{now.text} ({'; '.join(now.checks)}), session {session.id}")
        pursuit = Pursuit(now, conversation, lambda prompt: conversation.turn(prompt, "goal", may_ask=False), say)
        try:
            ended = await pursuit.run(anew=made is None)
            while ended.status != "proved" and not ended.over and can_ask():
                keep(session, replace(pursuit.goal, waiting=questions.waiting))
                if not await questions.put(_there(settings), conversation.emit):
                    break
                conversation.tell("(The user allows now what was refused because nobody was there.)")
                ended = await pursuit.run(anew=True)
        finally:
            if questions.waiting:
                keep(session, replace(pursuit.goal, waiting=questions.waiting))
                say(f"these wanted a yes: {'; '.join(questions.waiting)}")
            say(
                f"{WORDS.get(pursuit.goal.status, pursuit.goal.status)}: {pursuit.goal.spent} spent; agentic goal show {session.id}"
            )
        return 0 if ended.status == "proved" else 1


def _there(settings: Settings) -> Ask:
    """Whom to ask, where somebody can be asked."""
    found = asker(settings)
    assert found is not None
    return found


def _about(verb: str, root: Path, settings: Settings, name: str, html_file: Path | None, budgets: Sequence[str]) -> int:
    if verb == "resume":
        budget = budget_of(budgets) if budgets else None
        return run(interruptible(_resume(root, prepared(root, _with_mode(settings)), name, budget)))
    if verb == "accept":
        session, _ = api.session_store().open(name)
        with closing(session):
            now = goal_of(session)
            keep(session, replace(now, fixed=fixed_files(root, now.checks), hushed=hushes(root), counted={}))
        click.echo("the checks are fixed as they are now; `agentic goal resume` goes on")
        return 0
    with closing(api.session_store().read(name)) as session:
        if html_file is not None:
            page = as_html(session, goal_of(session))
            try:
                html_file.write_text(page, encoding="utf-8")
            except OSError as error:
                raise ConfigError(f"{html_file} cannot be written: {error.strerror}", "--html names a file") from error
            click.echo(f"written: {html_file}", err=True)
        else:
            click.echo(sanitize(as_text(session, goal_of(session))))
    return 0


def _latest(root: Path) -> str:
    """This folder's latest session that has a goal. Raises ConfigError."""
    for name, session in _sessions(root):
        if session.has_metadata(FACT):
            return name
    raise ConfigError(f"there is no goal in {root}", f"{EXAMPLE} sets one")


def _sessions(root: Path) -> Iterator[tuple[str, Session]]:
    store = api.session_store()
    for summary in store.of(root):
        try:
            with closing(store.read(summary.id)) as session:
                yield summary.id, session
        except AgenticError:
            continue


def _proposed(text: str, root: Path, settings: Settings) -> tuple[str, ...]:
    """The commands that the model thinks of, once the user has agreed to them. Raises ConfigError where nobody can."""
    commands = asyncio.run(_commands_for(text, root, settings))
    if not commands:
        raise ConfigError(f"no command shows that this is reached: {text}", "name one: --check COMMAND")
    shown = " ".join(f"--check {shlex.quote(command)}" for command in commands)
    if not can_ask():
        raise ConfigError("a goal needs commands that show that it is reached", f"agentic goal {shlex.quote(text)} {shown}")
    if not agreed("is it reached when these succeed?", body="\n".join(commands)):
        raise ConfigError("a goal needs commands that show that it is reached", "name them: --check COMMAND")
    return tuple(commands)


async def _commands_for(text: str, root: Path, settings: Settings) -> Sequence[str]:
    names, reading = ", ".join(islice(files_below(root), MAX_NAMES)), settings.changed("approval.mode", "none", "goal")
    async with api.open_conversation(root, reading, has_tools=False) as conversation:
        await conversation.turn(conversation.prompt("goal.checks", goal=text, files=names), "goal")
        words = conversation.last_words
    found = leading_object(words[max(0, words.find("{")) :])
    commands = found[0].get("commands") if found is not None else None
    return [each for each in commands if isinstance(each, str) and each.strip()] if isinstance(commands, list) else []


def _repeat(made: Goal, root: Path, settings: Settings, budgets: Sequence[str], every: str, install: bool) -> int:
    words = [sys.executable, "-m", "agentic", "goal", made.text, "-C", str(root)]
    words += [word for check in made.checks for word in ("--check", check)]
    words += [word for budget in budgets for word in ("--budget", budget)]
    words += [
        word
        for key, origin in settings.origins.items()
        if origin == "command line"
        for word in ("-c", f"{key}={toml_text(settings.values[key])}")
    ]
    line = f"{_TIMES[every]} {shlex.join(words).replace('%', chr(92) + '%')}"
    click.echo(line)
    if not install:
        return 0
    known = subprocess.run(["crontab", "-l"], capture_output=True, text=True).stdout
    done = subprocess.run(["crontab", "-"], input=f"{known.rstrip()}\n{line}\n".lstrip(), text=True, capture_output=True)
    if done.returncode:
        raise ConfigError(f"crontab does not take the line: {done.stderr.strip()}", "put it there by hand: crontab -e")
    return 0
