"""The good forms of programs: what is known to start nothing besides itself. Whatever is not written here is not known.

A form is told by options: each word that begins with `-` fits the program's expression as a whole, so abbreviated,
    joined or new
options do not. Words before it that are no options are names of files, tests, branches and the like.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from agentic.lib.patterns import late_pattern
from plugins_builtin.shell_reader.scripts import awk_is_good, sed_is_good

Words = Sequence[str]
_LONG = r"--[a-z][\w-]*(=.*)?"

# They start nothing, whatever they are told.
_PLAIN_TEXT = """
ls dir vdir cat tac head tail wc nl od hexdump strings echo pwd cd pushd popd dirs mkdir rmdir touch cp mv rm ln chmod chown
chgrp du df stat file basename dirname realpath readlink mktemp which type whereis uname arch nproc whoami id groups logname tty
uptime free ps pgrep kill pkill killall sleep seq yes true false : expr factor cal  diff cmp comm cut paste tr uniq
rev fold fmt column expand unexpand join pr  tee md5sum sha1sum sha224sum sha256sum sha384sum sha512sum b2sum cksum sum
base32  basenc  iconv jq gzip gunzip zcat bzip2 bunzip2 bzcat xz unxz xzcat zstd unzstd zstdcat  zipinfo grep
egrep fgrep zgrep  lscpu lsblk lsmem lsusb lspci lsmod nvidia-smi numastat vmstat iostat mpstat ss netstat ping dig host
nslookup exit return break continue shift   umask sync clear locale getent getconf dmesg  w who last truncate
shred dd useradd userdel usermod passwd groupadd umount mkfifo  dos2unix unix2dos rustfmt gofmt clang-format shellcheck
hadolint yamllint jsonlint   isort autopep8 yapf bandit vulture radon tidy  tokei scc shutdown reboot halt
poweroff crontab iptables mkfs.ext4
"""
_PLAIN = frozenset(_PLAIN_TEXT.split())
# (program: its good options). A word of its own that is an option's value is a name like others.
_BY_OPTIONS: Mapping[str, str] = {
    "wait": r"-[nf]", "jobs": r"-[lpnrs]+", "shuf": r"-[erz]+|-n\d*|-i\S*|--(echo|repeat|head-count=\d+|input-range=\S+)",
    "curl": r"-[sSfLkIviGgj46#]+|-[XHAum]|--(silent|show-error|fail|fail-with-body|location|head|request(=\w+)?|header(=.*)?"
        r"|max-time(=\d+)?|connect-timeout(=\d+)?|retry(=\d+)?|compressed|insecure|user-agent(=.*)?|include|verbose|version|help"
        r"|http1\.1|http2|get|progress-bar|no-progress-meter)",
    "unzip": r"-[lptvZqz]+|--help", "base64": r"-[dDi]|-w\d*|--(decode|wrap=\d+|ignore-garbage|help|version)",
    "xxd": r"-[apbciue]+|-[lscg]\d*|-ps", "tree": r"-[adfilpughsDrtcCJX]+|-[LIP]\S*"
        r"|--(dirsfirst|noreport|charset=\S+|gitignore|prune|du|si|help|version)",
    "date": r"-[uRI]+|-I\w+|-d.*|-r|--(date=.*|utc|iso-8601(=\w+)?|rfc-3339=\w+|reference=\S+|help|version)",
    "hostname": r"-[fidsAI]+", "black": r"-[qvlhS]+|--(check|diff|quiet|verbose|version|help|line-length(=\d+)?|color|fast|safe)",
    "cloc": r"--(by-file|quiet|json|csv|md|exclude-dir=[\w,./-]+|version|help)",
    "actionlint": r"-(no-color|color|oneline|verbose|version|help)",
    "sort": r"-[bdfgiMhnrRsVuzmcC]+|-k\S*|-t.{0,2}|-S\d+[KMG%]?|--(reverse|unique|numeric-sort|human-numeric-sort"
        r"|version-sort|stable|check"
            r"|merge|ignore-case|key=\S+|field-separator=.+|parallel=\d+|zero-terminated|help|version)",
    "tar": r"-?[cxtruvzjJpkhaOmSPf]+|-C|-f\S+|--(create|extract|list|append|update|file(=.*)?|gzip|bzip2|xz|zstd"
        r"|verbose|directory(=.*)?"
           r"|strip-components=\d+|exclude(=.*)?|exclude-vcs|no-same-owner|same-owner|wildcards|auto-compress"
               r"|keep-old-files|overwrite"
           r"|totals|numeric-owner|help|version)",
    "zip": r"-[0-9rqyjmuvX]+|-x|-i|--exclude|--quiet|--recurse-paths|--help|--version",
    "rg": r"-[iIlnNwvcoFPUuSsHhLqxV.]+|-[ABCgtTemrjdEf]\S*|--(ignore-case|line-number|files|files-with-matches|count"
        r"|hidden|no-ignore\S*"
          r"|glob(=.*)?|type(=.*)?|type-not(=.*)?|json|multiline|word-regexp|fixed-strings|only-matching"
              r"|max-count(=.*)?|stats|sort(=.*)?"
          r"|context(=.*)?|after-context(=.*)?|before-context(=.*)?|color(=.*)?|heading|no-heading|follow"
              r"|max-depth(=.*)?|vimgrep"
          r"|no-messages|type-list|pcre2|smart-case|trim|help|version|regexp(=.*)?|max-columns(=.*)?|with-filename"
              r"|no-filename)",
    "split": r"-[lbnadex]\S*|--(lines|bytes|numeric-suffixes|additional-suffix)(=\S+)?",
    "scp": r"-[rpqCv]+|-P|-i", "nc": r"-[zvuklnw46]+\d*", "ncat": r"-[zvuln46w]+\d*",
    "wget": r"-[qcNnvOPS]+|--(quiet|output-document(=\S+)?|directory-prefix(=\S+)?|continue|no-verbose|timestamping"
        r"|spider|version|help)",
    "make": r"-[ksBnqwi]+|-j\d*|-l[\d.]*|--(jobs(=\d+)?|keep-going|silent|quiet|dry-run|just-print|always-make"
        r"|question|no-print-directory"
            r"|print-directory|output-sync(=\w+)?|trace|version|help|load-average(=[\d.]+)?|debug(=\w+)?|ignore-errors)",
    "just": r"-l|--(list|dry-run|summary|version|help)",
    "task": r"-l|-a|--(list|list-all|dry|version|help|silent)",
    "pytest": r"-[qvxslhV]+|-pno:\w+|-ojunit_family=\w+"
        r"|-[krmnW]|-r\w+|-n\d+|-n(auto|logical)|--(tb=\w+|maxfail(=\d+)?|durations(=\d+)?"
        r"|durations-min=\S+|lf|last-failed|ff"
              r"|failed-first|nf|sw|stepwise|co|collect-only|no-header|no-summary|quiet|verbose|capture=\w+"
                  r"|cov(=[\w./-]*)?|no-cov"
              r"|cov-report(=[\w:./-]+)?|cov-branch|cov-append|cov-fail-under=\d+|junit-?xml=\S+|strict-markers"
                  r"|strict-config|timeout(=\d+)?"
              r"|runxfail|setup-show|fixtures|markers|color=\w+|ignore(=\S+)?|deselect(=\S+)?|disable-warnings"
                  r"|showlocals|exitfirst|pdbcls"
              r"|cache-clear|cache-show|numprocesses(=\w+)?|dist(=\w+)?|version|help|doctest-modules|reruns(=\d+)?|random-order"
              r"|asyncio-mode=\w+|benchmark-\w+(=\S+)?|snapshot-update|count(=\d+)?|full-trace|benchmark-only)",
    "mypy": r"-[pmv]|--(strict|ignore-missing-imports|no-error-summary|pretty|show-error-codes|no-incremental"
        r"|python-version(=[\d.]+)?|version|help"
            r"|check-untyped-defs|disallow-untyped-defs|namespace-packages|explicit-package-bases|install-types|non-interactive"
            r"|follow-imports=\w+|warn-\S+|no-warn-\S+|show-traceback|exclude(=.*)?|package|module|no-color-output"
                r"|hide-error-context)",
    **dict.fromkeys(["pyright", "basedpyright"],
                    r"-[pwh]|--(outputjson|stats|version|help|verbose|level(=\w+)?|pythonversion(=\S+)?"
        r"|watch|project(=\S+)?|warnings)"),
    "ruff": r"-[neqsvh]+|--(fix|no-fix|unsafe-fixes|diff|check|select(=\S+)?|ignore(=\S+)?|extend-select(=\S+)?"
        r"|output-format(=\w+)?|show-fixes"
            r"|statistics|quiet|exit-zero|line-length(=\d+)?|target-version(=\w+)?|no-cache|exclude(=\S+)?|preview"
                r"|version|help|watch"
            r"|respect-gitignore|force-exclude|stdin-filename(=\S+)?|show-files|show-settings|add-noqa|verbose|silent)",
    "flake8": r"-[qvj]|--(max-line-length(=\d+)?|ignore(=\S+)?|select(=\S+)?|extend-ignore(=\S+)?|exclude(=\S+)?"
        r"|count|statistics|show-source|version"
              r"|help|max-complexity(=\d+)?|per-file-ignores(=\S+)?|jobs=\d+)",
    "pylint": r"-[jEr]\d*|--(disable(=\S+)?|enable(=\S+)?|errors-only|score=\w|jobs=\d+|version|help|reports=\w"
        r"|output-format=\w+|fail-under=\S+)",
    "tox": r"-[erlp]+|--(recreate|parallel|list|notest|version|help|skip-missing-interpreters)",
    "nox": r"-[srlk]+|--(list|session(s)?(=\S+)?|reuse-existing-virtualenvs|version|help)",
    "pre-commit": r"-[av]|--(all-files|files|verbose|version|help|show-diff-on-failure|hook-stage(=\S+)?"
        r"|from-ref(=\S+)?|to-ref(=\S+)?)",
    "pip": r"-[rqveUVhc]|--(upgrade|quiet|verbose|user|no-deps|requirement|editable|version|help|outdated"
        r"|format(=\w+)?|dry-run|no-cache-dir"
           r"|disable-pip-version-check|pre|force-reinstall|no-input|yes|all|no-build-isolation|only-binary(=\S+)?"
               r"|progress-bar(=\w+)?|-y)|-y",
    "tsc": r"-[bpwvh]|--(noEmit|build|watch|project(=\S+)?|version|help|pretty|skipLibCheck|strict|init|listFiles"
        r"|showConfig|incremental|outDir"
           r"|target|module|jsx|esModuleInterop|declaration|noEmitOnError)",
    "eslint": r"-h|-v|--(fix|fix-dry-run|ext(=\S+)?|max-warnings(=\d+)?|quiet|cache|no-cache|version|help"
        r"|report-unused-disable-directives|color"
              r"|no-color|no-error-on-unmatched-pattern)",
    "prettier": r"-[wcluh]|--(write|check|list-different|ignore-unknown|loglevel(=\w+)?|log-level(=\w+)?|version|help"
        r"|no-color|cache"
                r"|tab-width(=\d+)?|print-width(=\d+)?|single-quote|no-semi|parser(=[a-z]+)?)",
    **dict.fromkeys(["jest", "vitest", "mocha", "ava", "playwright", "cypress"],
                    r"-[tiubwh]+|--(coverage|watch|watchAll(=false)?|ci|silent|verbose|bail(=\d+)?|runInBand|run"
                        r"|updateSnapshot|testNamePattern(=.*)?"
                    r"|onlyChanged|passWithNoTests|maxWorkers(=\S+)?|grep|version|help|no-coverage|headed"
                        r"|project(=\w+)?|detectOpenHandles)"),
    **dict.fromkeys(["gcc", "g++", "clang", "clang++", "cc", "c++"],
                    r"-[cSEgvswO0123fs]+|-O\w?|-o|-W(all|extra|error|pedantic|no-[\w-]+|shadow|conversion)"
                        r"|-std=[\w+]+|-[IDLl]\S+|-g\d?|-pedantic|-pthread"
                    r"|-fPIC|-fsanitize=\w+|-march=\w+|-M[MD]*|--version|--help|-shared|-static"),
    "rustc": r"-o|-O|--(edition(=\d+)?|version|help|explain|test|crate-type(=\w+)?)",
    "cmake": r"-[BSjN]|-G|-j\d+|-D(CMAKE_BUILD_TYPE|BUILD_\w+|ENABLE_\w+|WITH_\w+)(:\w+)?=[\w.]*"
        r"|--(build|target|parallel|config|version|help|install|prefix"
        r"|clean-first|verbose|preset(=\S+)?)",
    "ctest": r"-[VRjENQ]|-j\d+|--(output-on-failure|verbose|parallel|test-dir|rerun-failed|version|help|stop-on-failure)",
    "ninja": r"-[Cjvknt]|-j\d+|--(version|help|verbose|quiet)",
    "man": r"-[kf]|--help|--version",
    "node": r"--(test|test-reporter=(spec|tap|dot|junit)|test-name-pattern=.*|watch|check|version|help|no-warnings"
        r"|trace-warnings|enable-source-maps"
            r"|max-old-space-size=\d+|experimental-(strip-types|test-coverage|vm-modules))|-[vhc]",
    "ruby": r"-[vwch]|--version|--help", "perl": r"-[vcwT]|--version|--help", "php": r"-[lvmi]|--version|--help",
    "lua": r"-v", "Rscript": r"--(vanilla|version|help)", "julia": r"--(version|help|project(=\S+)?)|-t\d+",
    "java": r"-version|--version|-jar|-Xm[sx]\w+|-D[\w.]+=[\w./-]*", "javac": r"-d|-version|--version|-Xlint\S*",
    "ssh-keygen": r"-l|-f|-F", "ssh": r"-[vV]",
    "rsync": r"-[avzrlptgohnPuqcxHAXS]+|--(archive|verbose|compress|recursive|dry-run|progress|exclude(=.*)?"
        r"|include(=.*)?|stats|human-readable"
             r"|update|checksum|partial|info=\S+|no-\S+|times|perms|links|size-only|existing|ignore-existing|version|help)",
    "sqlite3": r"-(header|csv|json|line|column|readonly|version|help|box|table|markdown)|--version",
    "locust": r"--headless|-f|--version", "uvicorn": r"--(host|port|reload|workers|version|help)(=\S+)?",
        "gunicorn": r"--version|-b|-w",
    "flask": r"--(debug|version|help|host(=\S+)?|port(=\d+)?|reload)", "alembic": r"--(sql|version|help|verbose)",
    "mkdocs": r"--(strict|clean|quiet|verbose|version|help)|-[sqv]", "sphinx-build": r"-[bWnEaqvj]|--version|--keep-going",
    **dict.fromkeys(["venv", "virtualenv"], r"--(system-site-packages|clear|upgrade|without-pip|upgrade-deps|prompt=\S+)"),
    "vllm": r"--version|--help", "huggingface-cli": _LONG, "hf": _LONG, "twine": r"--(version|help|strict)",
    "gradlew": r"-[qsixm]|--(info|stacktrace|console=\w+|no-daemon|offline|tests|version|help|parallel|continue"
        r"|rerun-tasks|daemon|scan)",
    "mvnw": r"-[qBeXUo]+|-D(skipTests|test=[\w#,*]+|skipITs)(=true)?|--(version|batch-mode|quiet|offline|help)|-pl|-am",
    "configure": r"--(prefix|enable|disable|with|without)[\w-]*(=[\w./-]*)?|--help",
}  # fmt: skip
_BY_OPTIONS = {
    **_BY_OPTIONS,
    "gradle": _BY_OPTIONS["gradlew"],
    "mvn": _BY_OPTIONS["mvnw"],
    "pip3": _BY_OPTIONS["pip"],
    "pipx": _BY_OPTIONS["pip"],
    "nodejs": _BY_OPTIONS["node"],
    "py.test": _BY_OPTIONS["pytest"],
}
# Python's modules that start nothing but what the project has: (module: as which program its words are read).
_MODULES: Mapping[str, str] = {
    **{name: name for name in ("black", "venv", "virtualenv", "pytest", "mypy",
        "ruff", "flake8", "pylint", "pip", "tox", "nox", "flask", "uvicorn",
        "alembic", "mkdocs")},
    **dict.fromkeys(
        ["unittest", "json.tool", "compileall", "py_compile", "doctest", "http.server", "build", "isort", "calendar",
         "ensurepip", "site", "sysconfig", "platform", "tabnanny", "zipfile", "tarfile", "tokenize", "dis", "ast",
             "pyflakes", "bandit",
         "autopep8", "this", "inspect", "pydoc"],
        "ls",
    ),
}  # fmt: skip
_TEXT = r"-m.*|--message=.*"
_SHOWN = (
    r"-\d+|-n\d*|-[pswbiMaz]+|-U\d+|-[SGL].*|--(oneline|graph|all|decorate(=\w+)?|stat(=\S+)?|patch|since=.*|until=.*"
    r"|after=.*|before=.*|author=.*"
    r"|grep=.*|format=.*|pretty(=.*)?|name-only|name-status|follow|reverse|merges|no-merges|first-parent|date=\S+"
    r"|abbrev-commit|shortstat"
    r"|numstat|summary|color(=\w+)?|no-color|word-diff(=\w+)?|check|cached|staged|exit-code|quiet|diff-filter=\w+"
    r"|find-renames|no-renames"
    r"|ignore-all-space|ignore-space-change|unified=\d+|branches(=\S+)?|tags(=\S+)?|remotes|max-count=\d+|skip=\d+"
    r"|topo-order|raw|full-index"
    r"|no-index|minimal|patience|histogram|relative|no-patch|cc|left-right|cherry-pick|cherry|boundary"
    r"|simplify-by-decoration|source|no-walk"
    r"|abbrev=\d+|stdin|merge-base|compact-summary|dirstat|text|function-context|show-signature|no-ext-diff|no-textconv|-c)"
)
_TO_REMOTES = (
    r"-[qvupnafdt]+|--(all|prune|tags|quiet|verbose|depth=\d+|unshallow|dry-run|set-upstream|follow-tags"
    r"|force|force-with-lease|delete"
    r"|rebase|no-rebase|ff-only|no-edit|autostash|ff|no-ff|no-tags|progress|porcelain|mirror|no-verify"
    r"|depth|heads|get-url)"
)
_GIT: Mapping[str, str] = {
    "status": r"-[sbuzv]+|-u(no|all|normal)|--(short|branch|porcelain(=v?\d)?|ignored|long|untracked-files(=\w+)?"
        r"|show-stash|ahead-behind)",
    **dict.fromkeys(["diff", "log", "show", "shortlog", "whatchanged", "reflog", "diff-tree", "diff-index", "rev-list",
        "range-diff"],
                    _SHOWN + r"|-[ens]+|--summary|--count|--email|-r"),
    "branch": r"-[arvdDmMlfu]+|--(all|remotes|list|show-current|contains|merged|no-merged|sort=\S+|delete|move"
        r"|format=.*|set-upstream-to(=\S+)?|verbose|track)",
    "add": r"-[AunfvpN]+|--(all|update|force|verbose|dry-run|intent-to-add|patch)",
    "commit": rf"-[aqvsn]+|-a?q?s?m.*|-F|{_TEXT}|--(amend|no-edit|allow-empty|quiet|verbose|signoff|all|no-verify"
        rf"|fixup=\S+|reset-author|dry-run|date=\S+|author=.*)",
    **dict.fromkeys(["checkout", "switch", "restore"],
                    r"-[bBcCqfdps]+|--(quiet|force|track|detach|source=\S+|staged|worktree|ours|theirs|create|orphan"
                        r"|patch|merge|guess|discard-changes|conflict=\w+)"),
    "stash": rf"-[umpqkaS]+|{_TEXT}|--(include-untracked|keep-index|index|quiet|patch|stat|all|staged|oneline)",
    **dict.fromkeys(["fetch", "pull", "push", "ls-remote"], _TO_REMOTES),
    "merge": rf"-[qve]+|{_TEXT}|--(no-ff|ff-only|ff|squash|abort|continue|quit|no-edit|no-commit|quiet|stat"
        rf"|allow-unrelated-histories)",
    "rebase": r"-[iqv]+|--(abort|continue|skip|onto(=\S+)?|autostash|quiet|interactive|root|quit|no-autosquash"
        r"|autosquash|rebase-merges)",
    "reset": r"-[qpN]+|--(hard|soft|mixed|keep|merge|quiet|patch)",
    "tag": rf"-[aldfn]+|-n\d+|{_TEXT}|--(list|sort=\S+|contains|delete|annotate|force|points-at|merged)",
    "remote": r"-v|--verbose", "rev-parse": r"-q|-\d|--[a-z][\w-]*(=\S*)?", "ls-files": r"-[cdmoikstuvz]+|--[a-z][\w-]*(=\S*)?",
    "ls-tree": r"-[rdtlz]+|--(name-only|name-status|long|full-tree|abbrev(=\d+)?)",
        "cat-file": r"-[ptse]|--batch(-check)?(=.*)?",
    "blame": r"-[wCMeslc]+|-L\S*|--(date=\S+|porcelain|line-porcelain|since=\S+|show-email|root)",
        "describe": r"--[a-z][\w-]*(=\S*)?",
    "show-ref": r"--[a-z-]+|-[dhqs]", "for-each-ref": r"--(sort=\S+|format=.*|count=\d+|contains|merged|points-at)",
        "merge-base": r"--[a-z-]+|-a",
    "name-rev": r"--(name-only|tags|all)", "symbolic-ref": r"--short|-q", "count-objects": r"-[vH]+",
        "check-ignore": r"-[vqn]+", "var": r"-l",
    "cherry-pick": r"-[xnm]|--(abort|continue|skip|quit|no-commit|allow-empty)", "revert": r"-[nm]|--(no-edit|abort"
        r"|continue|skip|no-commit|quit)",
    "clean": r"-[fdnxXqi]+|--(dry-run|force|quiet)", "mv": r"-[fknv]+", "rm": r"-[rfnq]+|--(cached|force|quiet|dry-run)",
    "init": r"-q|-b|--(quiet|bare|initial-branch(=\S+)?)",
    "clone": r"-[qb]|--(depth(=\d+)?|branch(=\S+)?|single-branch|quiet|bare|no-checkout|progress|no-tags"
        r"|shallow-since=\S+|filter=\S+)",
    "worktree": r"-[bBfdv]|--(force|detach|porcelain|dry-run|verbose)", "notes": r"--ref=\S+",
    "apply": r"-[RvN3]|-p\d|--(check|stat|numstat|summary|reverse|index|cached|3way|verbose|reject|whitespace=\w+)",
    "grep": r"-[nilwEFPGcvhHoqLr]+|-[ABC]\d*|-e|--(count|name-only|files-with-matches|ignore-case|line-number"
        r"|word-regexp|cached|untracked|heading|break|and|or|not)",
    "config": r"--(get|get-all|get-regexp|list|show-origin|show-scope|global|local|system|name-only|type=\w+)|-l",
    "submodule": r"--(recursive|init|quiet)", "help": r"-a", "version": r"--build-options", "gc": r"--(auto|quiet"
        r"|prune=\S+)", "fsck": r"--full|--no-dangling",
    "bisect": r"--no-checkout",
}  # fmt: skip
_GIT_FIRST = {
    "config": None,  # reads only, by its options
    "submodule": {"status", "summary"},
    "bisect": {"start", "good", "bad", "skip", "reset", "log"},
    "remote": {"show", "get-url", "add", "remove", "rename", "set-url", "prune"},
}
_REMOTE = late_pattern(r"(?!ext|fd)(?:(?:https?|ssh|git)://(?!-)[\w.@:/+~%-]+|[\w./@~^:{}+*#,-]*)")
# Programs with commands of their own: (program: commands, options). A command that runs others is not among them.
_BY_COMMANDS: Mapping[str, tuple[str, str]] = {
    "cargo": ("build b check c test t run r bench clippy fmt doc clean update tree metadata fetch add remove search"
        " new init version install publish fix nextest",
              r"-[qvprFj]+|-j\d+|--(release|all|workspace|all-targets|all-features|no-default-features"
                  r"|features(=\S+)?|package(=\S+)?|quiet|verbose"
              r"|no-fail-fast|lib|bin(=\S+)?|bins|tests|test(=\S+)?|example(=\S+)?|examples|doc|locked|offline|frozen"
                  r"|message-format(=\S+)?|check|fix"
              r"|allow-dirty|allow-staged|nocapture|color(=\w+)?|jobs(=\d+)?|target(=[\w-]+)?|version|help"
                  r"|depth(=\d+)?|open|no-deps|dev|test-threads=\d+"
              r"|ignored|exact|list|edition(=\d+)?|keep-going|show-output|include-ignored|no-run)|-[DWAF]"),
    "go": ("build test vet fmt mod list version env doc get install work clean fix",
           r"-[vxnoaCi]|-(race|cover|short|count(=\d+)?|run(=.*)?|bench(=.*)?|benchmem|timeout(=\w+)?|json|failfast"
               r"|parallel(=\d+)?|coverprofile(=\S+)?|tags(=\S+)?"
           r"|mod(=\w+)?|m|u|w|l|d|e|f(=.*)?|deps|test|trimpath|ldflags(=[\w =.\"'/-]*)?|cpu(=\S+)?|covermode(=\w+)?"
               r"|shuffle(=\w+)?|skip(=.*)?|all)"),
    **dict.fromkeys(["npm", "pnpm", "yarn", "bun"],
                    ("run run-script test t tst start stop install i ci add remove rm uninstall update outdated ls"
                        " list ll view info audit pack version why "
                     "root prefix bin fund dedupe prune ping whoami build lint dev publish init create format"
                         " typecheck check cache link unlink rebuild",
                     r"-[gDPEdsyw]|--(silent|workspace(=\S+)?|workspaces|if-present|production|save|save-dev"
                         r"|save-exact|no-save|omit(=\w+)?|legacy-peer-deps"
                     r"|frozen-lockfile|no-audit|no-fund|depth(=\d+)?|json|global|long|version|help|prefer-offline"
                         r"|dry-run|watch|ci|coverage|force|filter(=\S+)?"
                     r"|recursive|all|yes|parseable|quiet|verbose|fix|run|watchAll=false|immutable|access(=\w+)?)|-r|-v|--")),
    "manage.py": ("test migrate makemigrations check showmigrations collectstatic runserver sqlmigrate findstatic diffsettings",
                  r"-[vn]\d?|--(noinput|no-input|verbosity(=\d)?|settings=[\w.]+|keepdb|parallel(=\d+)?|failfast|dry-run|check|plan"
                  r"|fake|help|version|traceback|merge|empty|name(=\w+)?|noreload)"),
    "uv": ("sync lock add remove pip venv tree version python cache build export tool init",
           r"-[qvrUne]|--(dev|all-extras|frozen|locked|upgrade|quiet|verbose|no-dev|extra(=\S+)?|group(=\S+)?|version"
               r"|help|python=[\d.]+|no-cache|system|dry-run|editable|seed)"),
    "poetry": ("install add remove update lock show check build version env config export init publish",
               r"-[qvnGD]+|--(no-root|with(=\S+)?|without(=\S+)?|only(=\S+)?|no-interaction|dev|tree|sync|version"
                   r"|help|group(=\S+)?|dry-run|latest|outdated|list)"),
    "bundle": ("install update check list show outdated config", r"-[jq]|--(quiet|jobs(=\d+)?|version|help|local)"),
    "composer": ("install update require remove show validate outdated dump-autoload", r"--(no-dev|no-interaction"
        r"|dry-run|version|help|optimize-autoloader|prefer-dist)|-[nvq]"),
    "dotnet": ("build test run restore clean format list add remove new publish", r"-[covf]|--(configuration"
        r"|no-restore|no-build|verbosity|filter|version|help|info|framework)"),
    "deno": ("test fmt lint check info types doc", r"--(check|allow-\w+|no-check|watch|quiet|version|help"
        r"|coverage(=\S+)?)|-[Aq]"),
    "rustup": ("show update target component toolchain check", r"--(version|help)"),
    "conda": ("list info env create install search config", r"-[nyc]|--(name|yes|json|version|help)"),
    "swift": ("build test package", r"--(configuration|filter|parallel|version|help)|-c"),
    "mix": ("test compile format deps deps.get help", r"--(trace|check-formatted|version|help|only)"),
    "gh": ("pr issue repo run release auth status search label gist workflow", r"-[a-zA-Z]|--(json|jq|limit|state"
        r"|title|body|repo|web|head|base|label|author)(=.*)?"),
    "kubectl": ("get describe logs apply delete version explain top rollout scale create",
                r"-[noAfwlc]|--(namespace|all-namespaces|output|selector|watch|tail|follow|since|container|context)(=\S+)?"),
    "openssl": ("x509 version rand dgst verify s_client asn1parse base64 sha256 sha512 md5 crl",
                r"-(text|noout|in|enddate|subject|issuer|fingerprint|sha256|md5|hex|base64|d|dates|connect|servername"
        r"|showcerts)"),
    "terraform": ("plan apply fmt validate init show output destroy version", r"-(no-color|auto-approve|input=false"
        r"|upgrade|check|recursive)"),
    "docker": ("ps images logs inspect version info pull stop start rm rmi network volume stats top port diff history tag",
               r"-[aqfntlis]+|--(all|quiet|follow|tail(=\d+)?|format(=.*)?|no-trunc|since(=\S+)?|filter(=\S+)?|force"
                   r"|version|help)"),
    "systemctl": ("status start stop restart reload enable disable list-units list-unit-files is-active is-enabled"
        " show cat daemon-reload poweroff reboot halt",
                  r"--(no-pager|user|all|failed|type=\w+|state=\w+|now|full|quiet)|-[alq]"),
    "hatch": ("version build env test fmt", r"--(version|help)"), "pdm": ("install add remove update lock list sync",
        r"--(version|help|dev|no-self)|-[dG]"),
}  # fmt: skip
# Of some commands' own commands these start nothing.
_SECOND = {"uv tool": "list dir", "uv python": "list find dir", "poetry env": "info list", "gh run": "list view",
           "gh workflow": "list view", "gh auth": "status", "rustup toolchain": "list", "conda env": "list"}  # fmt: skip
_COVERAGE = {"report", "html", "xml", "json", "combine", "erase", "annotate", "debug", "lcov"}


def unknown(name: str, words: Words, root: Path) -> str:
    """Why it is not known that the program starts nothing else, "" for a good form. `words` are those behind its name."""
    options = [word for word in words if word.startswith("-") and word not in ("-", "--")]
    if name in _CHECKED:
        return _CHECKED[name](words, root)
    if name in _PLAIN:
        return ""
    if name in _BY_OPTIONS:
        if why := _odd_words(name, words):
            return why
        given = next((word for word in words if word.startswith("@")), "")  # many read further options from such a file
        return f"what is in {given[1:40]} is not shown" if given else _odd_option(name, options, _BY_OPTIONS[name])
    if name in _BY_COMMANDS:
        commands, good = _BY_COMMANDS[name]
        return _odd_option(name, options, good) or _odd_command(name, words, commands)
    if name == "git":
        return _git(words)
    return f"what `{name}` starts is not known"


OWN = ("gradlew", "mvnw", "manage.py", "configure")
"""Programs that projects bring under their own names, and that are known all the same."""


def is_known(name: str) -> bool:
    """True if anything is known of the program."""
    return name in _CHECKED or name in _PLAIN or name in _BY_OPTIONS or name in _BY_COMMANDS or name == "git"


def _odd_option(name: str, options: Words, good: str) -> str:
    odd = next((word for word in options if not re.fullmatch(good, word, re.DOTALL)), "")
    return f"the option {odd[:40]} of `{name}` is not known to be harmless" if odd else ""


def _odd_words(name: str, words: Words) -> str:
    """Why a word that is no option may start another program, "" where none does."""
    if name in ("uvicorn", "gunicorn") and any(not re.fullmatch(r"[\w.:/-]+", word) for word in words):
        return f"`{name}` runs what it is given"
    if name == "flask" and not {"run", "routes"} & set(words[:1]):
        return "`flask` may open a shell"
    return f"`{name}` may start another program" if name in ("tox", "nox") and {"exec", "e"} & set(words) else ""


_SCRIPTS = "test tests build lint start dev format fmt typecheck type-check check watch serve preview coverage e2e docs clean"


def _odd_command(name: str, words: Words, commands: str) -> str:
    """Returns why the program's command may start others, "" where it is known not to.

    The command has to be the first word: an option's value before it could be taken for it.
    """
    first, second = (*words, "", "")[:2]
    if first.startswith("-"):
        return f"which of its words `{name}` takes for a command is not known" if second else ""
    if name == "gh" and "--" in words:
        return "what `gh` hands on to git is not known"
    if first and first not in commands.split():
        return f"`{name} {first[:40]}` may start others"
    if name in ("yarn", "bun") and first == "run" and second.partition(":")[0] not in _SCRIPTS.split():
        return f"`{name} run` may start any program that is installed"
    good = _SECOND.get(f"{name} {first}")
    return "" if good is None or second in good.split() else f"`{name} {first} {second[:40]}` may start others"


def _git(words: Words) -> str:
    rest = list(words)
    while rest and rest[0] in ("--no-pager", "--no-optional-locks", "--version", "--help"):
        rest.pop(0)
    if not rest:
        return ""
    command, *rest = rest
    if command not in _GIT:
        return f"`git {command[:40]}` is not known to start nothing else"
    end = rest.index("--") if "--" in rest else len(rest)
    options = [word for word in rest[:end] if word.startswith("-") and word != "-"]
    if why := _odd_option(f"git {command}", options, _GIT[command]):
        return why
    names = [word for word in rest[:end] if not word.startswith("-")]
    first = _GIT_FIRST.get(command, set())
    if first is None:
        reads = {"--get", "--get-all", "--get-regexp", "--list", "-l"} & set(options)
        return "" if reads else "`git config` changes what git does"
    if first and names and names[0] not in first:
        return f"`git {command} {names[0][:40]}` is not known to start nothing else"
    far = command in ("fetch", "pull", "push", "ls-remote", "clone", "remote")
    if far and not all(_REMOTE.fullmatch(word) for word in names):
        return "where git reaches to is not known"
    return ""


def _python(words: Words, root: Path) -> str:
    place = 0
    while place < len(words) and words[place].startswith("-"):
        word = words[place]
        if word == "-m":
            return _module(words[place + 1 :], root)
        if word in ("-W", "-X"):
            place += 2
        elif re.fullmatch(r"-[uBOOIsSEdivqxbbP]+|-V|-VV|--version|--help|-h|-W\w+|-X\w+", word):
            place += 1
        else:
            return f"Python's option {word[:40]} is given code, or not known"
    if any(is_input(word) for word in words[place : place + 1]):
        return "Python runs what is written into it"
    return ""  # a file of the project, with whatever words it takes


def is_input(word: str) -> bool:
    """True if a file's name may stand for what is written into a program."""
    return word == "-" or bool(re.search(r"(?:^/|\.\.).*(?:^|/)(?:dev|proc)(?:/|$)|^/+(?:dev|proc)/", word))


def _module(words: Words, root: Path) -> str:
    name = words[0] if words else ""
    if name in _MODULES:
        return unknown(_MODULES[name], words[1:], root)
    if name == "coverage":
        return _coverage(words[1:], root)
    own = re.fullmatch(r"\w+(\.\w+)*", name) and any(
        (folder / name.replace(".", "/")).with_suffix(end).exists() for folder in (root, root / "src") for end in ("", ".py")
    )
    return "" if own else f"Python's module {name[:40]} is not known"


def _coverage(words: Words, root: Path) -> str:
    if words[:1] and words[0] in _COVERAGE:
        return ""
    if list(words[:2]) == ["run", "-m"]:
        return _module(words[2:], root)
    if len(words) > 1 and words[0] == "run" and not words[1].startswith("-"):
        return ""
    return "" if list(words) in (["--version"], ["--help"]) else "what `coverage` starts is not known"


_FIND = late_pattern(
    r"-(name|iname|path|ipath|wholename|type|maxdepth|mindepth|size|mtime|mmin|atime|amin|ctime|cmin|newer\w*|not|o|a"
    r"|and|or|print|print0|prune"
    r"|empty|user|group|perm|regex|iregex|regextype|links|L|P|H|xdev|mount|ls|true|false|quit|readable|writable"
    r"|executable|depth|daystart|follow"
    r"|samefile|inum|printf|lname|ilname|uid|gid|nouser|nogroup|noleaf|warn|nowarn|exec|execdir|ok|okdir|\d+)"
)


def _find(words: Words, root: Path) -> str:
    inside = False
    for word in words:
        if inside:
            inside = word not in (";", "+")
            continue
        inside = word in ("-exec", "-execdir", "-ok", "-okdir")  # its commands are read for themselves
        if word.startswith("-") and not _FIND.fullmatch(word):
            return f"the option {word[:40]} of `find` is not known to be harmless"
    return ""


def _sed(words: Words, root: Path) -> str:
    scripts, place, given = [], 0, False
    while place < len(words):
        word = words[place]
        if re.fullmatch(r"-[nErsuz]*e|--expression", word):
            scripts.append(words[place + 1] if place + 1 < len(words) else "")
            place, given = place + 2, True
            continue
        if word.startswith("--expression="):
            scripts.append(word.partition("=")[2])
            given = True
        elif word.startswith("-") and word != "-":
            if not re.fullmatch(
                r"-[nErsuz]+|--(quiet|silent|regexp-extended|separate|unbuffered|null-data|version"
                r"|help)",
                word,
            ):
                return f"the option {word[:40]} of `sed` changes files, or is not known"
        elif not scripts and not given:
            scripts.append(word)
        place += 1
    return "" if all(map(sed_is_good, scripts)) else "what the script of `sed` does is not known"


def _awk(words: Words, root: Path) -> str:
    place = 0
    while place < len(words) and words[place].startswith("-") and words[place] != "--":
        if words[place] in ("-F", "-v"):
            place += 2
        elif re.fullmatch(r"-F.{1,10}|-v\w+=[^|>@`]*|--version|--csv", words[place]):
            place += 1
        else:
            return f"the option {words[place][:40]} of `awk` is not known to be harmless"
    program = words[place + (words[place : place + 1] == ["--"]) :][:1]
    return "" if all(map(awk_is_good, program)) else "what the program of `awk` does is not known"


def _tar(words: Words, root: Path) -> str:
    letters = words[0] if words and not words[0].startswith("-") else ""
    if not re.fullmatch(r"[cxtruvzjJpkhaOmSPf]*", letters):
        return f"what {letters[:40]} means to `tar` is not known"
    options = [word for word in words if word.startswith("-") and word != "-"]
    return _odd_option("tar", options, _BY_OPTIONS["tar"])


def _test(words: Words, root: Path) -> str:
    """Shells calculate what they compare as numbers, and look into what they are asked about: both can start commands."""
    odd = any(re.search(r"\[.*(?:\$|`)", word, re.DOTALL) for word in words)
    looks = any(before in ("-v", "-R") and not re.fullmatch(r"\w+", word) for before, word in pairwise(words))
    return "it has a test that shells read in different ways" if odd or looks else ""


_OF_SQLITE = late_pattern(r"\.(?:tables|schema|headers|mode|indexes|databases|width|timer|nullvalue|separator)(?:\s+[\w ,]*)?;?")
_OF_SQL = late_pattern(r"\b(?:edit|load_extension|writefile|readfile|fts3_tokenizer|attach|vacuum)\b", re.IGNORECASE)


def _sqlite(words: Words, root: Path) -> str:
    """A line that begins with a dot is a command of the program's own, in any abbreviation."""
    lines = [line.strip() for word in words for line in word.splitlines()]
    if any(line.startswith(".") and not _OF_SQLITE.fullmatch(line) for line in lines) or any(map(_OF_SQL.search, words)):
        return "`sqlite3` starts a program or writes a file"
    return _odd_option("sqlite3", [word for word in words if word.startswith("-")], _BY_OPTIONS["sqlite3"])


def _printf(words: Words, root: Path) -> str:
    return _test(words, root) or _odd_option("printf", [word for word in words[:1] if word.startswith("-")], r"--|-[^v].*")


_CHECKED: Mapping[str, Callable[[Words, Path], str]] = {
    **dict.fromkeys(["python", "python2", "python3", "pypy", "pypy3", *(f"python3.{number}" for number in range(8, 16))],
        _python),
    "coverage": _coverage,
    "find": _find,
    "tar": _tar,
    "test": _test,
    "[": _test,
    "sqlite3": _sqlite,
    "printf": _printf,
    **dict.fromkeys(["sed", "gsed"], _sed),
    **dict.fromkeys(["awk", "gawk", "mawk", "nawk"], _awk),
}  # fmt: skip
