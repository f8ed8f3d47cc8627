"""What is known of single programs: options that run or write something, and what they take of a sandbox."""

import os
import re
from collections.abc import Callable, Mapping

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
# The option by which a program is given code.
# What these are given changes nothing and shows no content: a word may be made up when they run.
INERT = {
    "echo", "true", "false", "wc", "ls", "seq", "basename", "dirname", "stat", "du", "pwd",
}  # fmt: skip
INLINE: Mapping[str, str] = {
    **dict.fromkeys(["python", "python2", "python3", "pypy", "pypy3"], r"-[a-zA-Z]*c|-$|--$"),
    **dict.fromkeys(["perl", "ruby"], r"-[a-zA-Z]*[eEn]|-$"),
    **dict.fromkeys(["node", "nodejs", "bun", "deno"], r"-[a-zA-Z]*[ep]|--eval|--print|eval$|-$|-r$|--require|--import"),
    "php": r"-[rBRE]|--run|-$",
    **dict.fromkeys(["lua", "luajit"], r"-[a-zA-Z]*e|-$"),
    **dict.fromkeys(["R", "Rscript", "julia"], r"-e|-E|--eval|-$"),
    "osascript": r"-e",
    "tclsh": r"-$",
    **dict.fromkeys(["awk", "gawk", "mawk", "nawk"], r".*(system\s*\(|\|\s*(getline|\"|&)|>\s*\"|print\s*>|-f)"),
    "sqlite3": r".*\.(shell|system|import|output|once|load)",
    **dict.fromkeys(["vi", "vim", "nvim", "view", "ex", "ed", "emacs"], r".*"),
    "gdb": r"-ex|-x|--eval-command|--command|-iex",
    "guile": r"-c|-e",
    "groovy": r"-e",
    "m4": r".*(syscmd|esyscmd)",
}
# Options that start a program or write a file, by program: (pattern of a word, what it does).
HAZARDS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "find": ((r"^-delete$", "deletes files"), (r"^-f(ls|print0?|printf)$", "writes files")),
    "rg": ((r"^--(pre|hostname-bin)(=|$)|^-z$|^--search-zip$", "starts a program"),),
    "grep": ((r"^--include-from=/dev/", "reads from a device"),),
    "sed": (
        (r"^(-[a-zA-Z]*i|--in-place|-[a-zA-Z]*s?i)", "changes files in place"),
        (r"(^|[;{}\n/0-9$])\s*[eW]\s|(^|[;\n}])\s*[0-9,$!/]*\s*e($|\s|;)|/[a-zA-Z0-9]*e[a-zA-Z0-9]*$"
        r"|\bw\s+\S", "starts a program or writes a file"),
    ),
    "git": (
        (r"^-c$|^--config-env|^--exec-path=|^-[cC].*=", "is told to behave differently"),
        (r"^--(upload-pack|receive-pack|ext-diff|textconv|output|exec|open-files-in-pager|extcmd|tool|gpg-sign)(=|$)|^-O\S|^-x$",
         "starts a program or writes a file"),
        (r"^(ext|fd|file)::|^!", "starts a program"),
        (r"^(bisect|filter-branch|submodule|hook|difftool|mergetool|send-email|instaweb|daemon|credential|config|alias)$",
         "starts programs or changes what git does"),
    ),
    "tar": ((r"^--(to-command|checkpoint-action|use-compress-program|rsh-command|rmt-command|info-script"
        r"|new-volume-script)|^-[a-zA-Z]*[IF]",
             "starts a program"),),
    "zip": ((r"^-(T|TT|-unzip-command)", "starts a program"),),
    "unzip": ((r"^-[a-zA-Z]*(o|d)", "writes files"),),
    "rsync": ((r"^-e|^--(rsh|rsync-path|delete|remove-source-files)", "starts a program or deletes files"),),
    "scp": ((r"^-(S|o)", "starts a program"),),
    "ssh": ((r"^-o|^-F|^-(L|R|D|w|W|J)", "starts a program or opens a way out"),),
    "sort": ((r"^-o|^--output|^--compress-program", "writes a file or starts a program"),),
    "base64": ((r"^-o|^--output", "writes a file"),),
    "xxd": ((r"^-r", "writes a file"),),
    "tee": ((r"^[^-]", "writes a file"),),
    "dd": ((r"^of=", "writes a file"),),
    "curl": ((r"^-[a-zA-Z]*[oOKTFd]|^--(output|remote-name|config|upload-file|data|form|dump-header|cookie-jar"
        r"|trace)", "writes or sends files"),),
    "wget": ((r".*", "writes files or runs its start file"),),
    "man": ((r"^-P|^--pager|^-H|^--html", "starts a program"),),
    "less": ((r".*", "can start programs"),),
    "more": ((r".*", "can start programs"),),
    "date": ((r"^-s|^--set", "sets the clock"),),
    "hostname": ((r"^[^-]", "sets the machine's name"),),
    "ip": ((r"^(netns|set|add|del|delete|exec)$", "changes the network"),),
    "make": ((r"^-f|^--file|^--makefile|^--eval|^-C|=", "is told to behave differently"),),
    "npm": ((r"^(exec|x|explore|run-script-from|config|set)$", "starts programs or changes what npm does"),),
    "npx": ((r".*", "fetches and starts a program"),),
    "pnpm": ((r"^(dlx|exec)$", "fetches or starts a program"),),
    "yarn": ((r"^(dlx|exec)$", "fetches or starts a program"),),
    "pip": ((r"^(--index-url|-i|--extra-index-url|--find-links|-f|--target|-t|--config-settings"
        r"|--python)", "is told to behave differently"),),
    "cargo": ((r"^--config", "is told to behave differently"),),
    "go": ((r"^(run|generate|tool)$|^-(exec|toolexec)", "starts a program"),),
    "pytest": ((r"^(-p|-c|-o|--rootdir|--confcutdir|--override-ini|--pyargs)(=|$)", "is told to behave differently"),),
    "journalctl": ((r"^--vacuum|^--rotate", "deletes files"),),
    "openssl": ((r"^(-out|-engine|-provider|-config|s_server|s_client)$", "writes a file or reaches the network"),),
    "split": ((r"^--filter", "starts a program"),),
    "csplit": ((r".*", "writes files"),),
    "ln": ((r".*", "makes another way to a file"),),
    "install": ((r".*", "writes files"),),
    "truncate": ((r".*", "empties files"),),
    "shred": ((r".*", "destroys files"),),
    "unlink": ((r".*", "deletes a file"),),
    "nc": ((r".*", "opens a connection"),),
    "ncat": ((r".*", "opens a connection"),),
    "socat": ((r".*", "opens a connection or starts a program"),),
    "telnet": ((r".*", "opens a connection"),),
    "printf": ((r"^-v$", "sets a variable"),),
}  # fmt: skip
POISON = re.compile(
    r"PATH|IFS|ENV|BASH_ENV|SHELLOPTS|BASHOPTS|PS[0-4]|PROMPT_COMMAND|LD_\w+|DYLD_\w+|GIT_\w+|PAGER|\w*PAGER|EDITOR|VISUAL|BROWSER"
    r"|PYTHON\w+|PERL5\w+|PERLLIB|RUBY\w+|GEM_\w+|NODE_\w+|NPM_\w+|npm_\w+|JAVA_TOOL_OPTIONS|_JAVA_OPTIONS|CLASSPATH|GCONV_PATH"
    r"|LESS\w*|MANPAGER|RIPGREP_CONFIG_PATH|GREP_\w+|MAKEFLAGS|MAKEFILES|SHELL|HOME|XDG_\w+|CDPATH|GLOBIGNORE|HISTFILE|TAR_OPTIONS"
    r"|RSYNC_RSH|SSH_\w+|DOCKER_\w+|KUBECONFIG|AWS_\w+|CURL_HOME|WGETRC|FPATH|ZDOTDIR|INPUTRC|TERMINFO\w*|LOCPATH"
    r"|OPENSSL_\w+|SSL_\w+"
    r"|CC|CXX|LD|AR|RUSTC\w*|CARGO_\w+|GO\w+|BUNDLE_\w+"
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
