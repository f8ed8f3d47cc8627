"""The good commands of programs that have commands of their own, git's among them."""

from collections.abc import Mapping

from agentic.lib.patterns import late_pattern

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

GIT: Mapping[str, str] = {
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

GIT_FIRST = {
    "config": None,  # reads only, by its options
    "submodule": {"status", "summary"},
    "bisect": {"start", "good", "bad", "skip", "reset", "log"},
    "remote": {"show", "get-url", "add", "remove", "rename", "set-url", "prune"},
}

REMOTE = late_pattern(r"(?!ext|fd)(?:(?:https?|ssh|git)://(?!-)[\w.@:/+~%-]+|[\w./@~^:{}+*#,-]*)")
# Programs with commands of their own: (program: commands, options). A command that runs others is not among them.
BY_COMMANDS: Mapping[str, tuple[str, str]] = {
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
SECOND = {"uv tool": "list dir", "uv python": "list find dir", "poetry env": "info list", "gh run": "list view",
           "gh workflow": "list view", "gh auth": "status", "rustup toolchain": "list", "conda env": "list"}  # fmt: skip
