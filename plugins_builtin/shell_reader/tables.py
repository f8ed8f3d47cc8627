"""The facts about single programs: options that run or write something, and what they take of a sandbox."""

import os
from collections.abc import Callable, Mapping

from agentic.lib.patterns import late_pattern

SHELLS = frozenset(
    [
        "sh",
        "bash",
        "dash",
        "zsh",
        "ksh",
        "mksh",
        "ash",
        "fish",
        "csh",
        "tcsh",
        "rbash",
        "yash",
        "pwsh",
        "nu",
        "elvish",
        "xonsh",
        "oil",
        "osh",
    ]
)
INTERPRETERS = frozenset(
    [
        "python",
        "python2",
        "python3",
        "pypy",
        "pypy3",
        "perl",
        "ruby",
        "node",
        "nodejs",
        "deno",
        "bun",
        "php",
        "lua",
        "luajit",
        "tclsh",
        "wish",
        "osascript",
        "R",
        "Rscript",
        "julia",
        "guile",
        "gawk",
        "awk",
        "mawk",
        "sed",
        "ed",
        "ex",
        "bc",
        "dc",
        "m4",
        "gdb",
        "sqlite3",
        "psql",
        "mysql",
        "irb",
        "ghci",
        "erl",
        "elixir",
        "groovy",
        "scala",
        "jshell",
    ]
)
# What these are given changes nothing and shows no content: a word may be made up when they run.
INERT = {
    "echo", "true", "false", "wc", "ls", "seq", "basename", "dirname", "stat", "du", "pwd",
}  # fmt: skip
# Options that start a program or write a file, by program: (pattern of a word, what it does).
HAZARDS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "unzip": ((r"^-[a-zA-Z]*(o|d)", "writes files"),),
    "base64": ((r"^-o|^--output", "writes a file"),),
    "xxd": ((r"^-r", "writes a file"),),
    "shuf": ((r"^-o|^--output", "writes a file"),),
    "tee": ((r"^[^-]", "writes a file"),),
    "dd": ((r"^of=", "writes a file"),),
    "curl": ((r"^-[a-zA-Z]*[oOKTFdDc]|^--(output|remote-name|config|upload-file|data|form|dump-header|cookie-jar"
        r"|trace|url-query|json|libcurl|etag-save|hsts|alt-svc|stderr)", "writes or sends files"),),
    "wget": ((r".*", "writes files or runs its start file"),),
    "date": ((r"^-s|^--set", "sets the clock"),),
    "hostname": ((r"^[^-]", "sets the machine's name"),),
    "tree": ((r"^-o", "writes a file"),),
    "black": ((r"^-c|^--code|^--config", "is told to behave differently"),),
    "make": ((r"^-C|=", "is told to behave differently"),),
    "pip": ((r"^(-r|-c|-e|--requirement|--editable|-U)$", "fetches what a file names"),),
    "npm": ((r"^(exec|x|explore|config|set|create|init)$", "starts programs or changes what npm does"),),
    "pnpm": ((r"^(dlx|exec|create|init)$", "fetches or starts a program"),),
    "yarn": ((r"^(dlx|exec|create|init)$", "fetches or starts a program"),),
    "bun": ((r"^(x|create|init)$", "fetches or starts a program"),),
    "sqlite3": ((r".*(\.(shell|system|import|output|once|load|read|excel|edit)|edit\s*\(|load_extension|writefile"
        r"|fts3_tokenizer)",
                 "starts a program or writes a file"),),
    "truncate": ((r".*", "empties files"),),
    "ln": ((r".*", "makes another way to a file"),),
    "shred": ((r".*", "destroys files"),),
    "nc": ((r".*", "opens a connection"),),
    "ncat": ((r".*", "opens a connection"),),
}  # fmt: skip
# The names that no shell and no program gives a meaning of its own: small letters, and these.
GOOD_VARIABLES = late_pattern(
    r"(?!npm_|\w+_proxy$|(?:path|cdpath|fpath|manpath|mailpath|module_path|fignore|prompt|psvar|watch|histchars"
    r"|status|argv|home|shell|term"
    r"|user|cwd)$)[a-z][a-z0-9_]*|[A-Z]|CI|DEBUG|NODE_ENV|RUST_LOG|RUST_BACKTRACE|NO_COLOR|FORCE_COLOR|COLUMNS|LINES"
    r"|TZ|LANG|LC_ALL|VERBOSE"
    r"|GOOS|GOARCH|CGO_ENABLED|PORT|HOST|LOG_LEVEL|CUDA_VISIBLE_DEVICES|OMP_NUM_THREADS|FLASK_ENV|RAILS_ENV|RACK_ENV"
    r"|APP_ENV|MIX_ENV|ENVIRONMENT"
    r"|DATABASE_URL|SEED|FOO|BAR|BAZ|NAME|FILE|FILES|DIR|OUT|COUNT|TOTAL|VERSION|BRANCH|MSG|URL|RESULT|COMMIT|TEST"
    r"|TESTS|PYTHONUNBUFFERED"
    r"|PYTHONDONTWRITEBYTECODE|SOURCE_DATE_EPOCH|DOCKER_BUILDKIT|COMPOSE_PROJECT_NAME|PYTHONHASHSEED"
)
KNOWN_VARIABLES: Mapping[str, Callable[[], str | None]] = {
    "HOME": lambda: os.path.expanduser("~"),
    "PWD": lambda: ".",
    "USER": lambda: os.environ.get("USER"),
}
_GIT_WRITES = (
    "add commit stash checkout switch restore merge rebase reset branch tag cherry-pick revert am rm mv fetch pull worktree"
)
# By what a sandbox may have to allow: patterns over the whole simple command.
NEEDS: Mapping[str, tuple[str, ...]] = {
    "network": (
        r"(curl|wget|ssh|scp|sftp|ftp|nc|ncat|telnet|ping|dig|host|nslookup|gh|glab|http|https|aria2c)\b",
        r"git (clone|fetch|pull|push|ls-remote|submodule|remote update)\b",
        r"(pip3?|pipx|\S*python\S* -m pip) (install|download|wheel|index)\b",
        r"(uv|poetry|pdm|hatch|conda|mamba) (\S+ )?(add|install|sync|lock|update|create|pip|self)\b",
        r"(npm|pnpm|yarn|bun) (install|i|ci|add|update|upgrade|audit|publish|view|dlx|create|outdated)\b|(npx|bunx) ",
        r"(cargo) (add|install|fetch|update|search|publish)\b|go (get|install|mod download|mod tidy)\b",
        r"(apt|apt-get|dnf|yum|apk|pacman|brew|snap|flatpak|zypper) ",
        r"(gem|bundle|composer|mvn|gradle|docker|podman) (install|update|pull|push|build)\b",
        r"rsync .*\S+:",
    ),
    "protected": (
        rf"git (-C \S+ )?({_GIT_WRITES.replace(' ', '|')})\b",
        r"git (init|clone|submodule|config|remote|update-index|gc|notes|lfs)\b",
        r"\.?(\.venv|venv)/bin/(pip|python\S* -m pip) (install|uninstall)\b",
        r"(pip3?|\S*python\S* -m pip) (install|uninstall)\b",
        r"\S*python\S* -m (venv|virtualenv)\b|virtualenv |uv (venv|sync|add|pip|remove)\b|poetry (install|add|remove|update)\b",
        r"pre-commit (install|autoupdate)\b|husky\b",
    ),
}
