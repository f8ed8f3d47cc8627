"""The good options of programs that start nothing else, whatever words they get besides."""

from collections.abc import Mapping

LONG = r"--[a-z][\w-]*(=.*)?"
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

PLAIN = frozenset(_PLAIN_TEXT.split())
# (program: its good options). A word of its own that is an option's value is a name like others.
BY_OPTIONS: Mapping[str, str] = {
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
    "vllm": r"--version|--help", "huggingface-cli": LONG, "hf": LONG, "twine": r"--(version|help|strict)",
    "gradlew": r"-[qsixm]|--(info|stacktrace|console=\w+|no-daemon|offline|tests|version|help|parallel|continue"
        r"|rerun-tasks|daemon|scan)",
    "mvnw": r"-[qBeXUo]+|-D(skipTests|test=[\w#,*]+|skipITs)(=true)?|--(version|batch-mode|quiet|offline|help)|-pl|-am",
    "configure": r"--(prefix|enable|disable|with|without)[\w-]*(=[\w./-]*)?|--help",
}  # fmt: skip

BY_OPTIONS = {
    **BY_OPTIONS,
    "gradle": BY_OPTIONS["gradlew"],
    "mvn": BY_OPTIONS["mvnw"],
    "pip3": BY_OPTIONS["pip"],
    "pipx": BY_OPTIONS["pip"],
    "nodejs": BY_OPTIONS["node"],
    "py.test": BY_OPTIONS["pytest"],
}

# Python's modules that start nothing but what the project has: (module: as which program its words are read).
MODULES: Mapping[str, str] = {
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
