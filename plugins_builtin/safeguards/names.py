"""Names, by what happens to files that are called so."""

PROTECTED = {
    "git runs or obeys it": ".git/config .git/hooks/** .git/info/** .git/commondir .git/gitdir .git/config.worktree"
    " .git/modules/**"
    " .git/worktrees/** .git/rebase-merge/** .git/rebase-apply/** .git/sequencer/** .git/objects/info/**"
    " .git/branches/** .git/remotes/**"
    " .git .git/** **/.git **/.git/** .gitmodules .gitattributes **/.gitattributes"
    " **/HEAD **/commondir **/config.worktree .hg **/.hg/** .jj **/.jj/** .svn/hooks/** **/.gitconfig",
    "git may run it": "**/*hooks/applypatch-msg **/*hooks/pre-applypatch **/*hooks/post-applypatch **/*hooks/pre-commit"
    " **/*hooks/pre-merge-commit **/*hooks/prepare-commit-msg **/*hooks/commit-msg **/*hooks/post-commit **/*hooks/pre-rebase"
    " **/*hooks/post-checkout **/*hooks/post-merge **/*hooks/pre-push **/*hooks/post-rewrite **/*hooks/pre-auto-gc"
    " **/*hooks/fsmonitor* **/*hooks/pre-receive **/*hooks/update **/*hooks/post-receive **/*hooks/post-update"
    " **/*hooks/reference-transaction **/*hooks/push-to-checkout **/*hooks/sendemail-validate **/*hooks/post-index-change"
    " **/.*hooks/** **/.husky/**",
    "a shell runs it when somebody enters the folder": ".envrc **/.envrc .env .env.* **/.autoenv **/.mise.toml"
    " **/mise.toml **/.mise/** **/.config/mise/** **/.tool-versions **/.direnvrc **/.gdbinit **/.lldbinit",
    "it stands where programs are looked for": "**/node_modules/.bin/**",
    "a Python of the project runs it at its start": ".venv/** venv/** **/pyvenv.cfg **/sitecustomize.py"
    " **/usercustomize.py **/*.pth",
    "pytest runs it with every test": "**/conftest.py",
    "agentic obeys it": "**/agentic.toml **/AGENTS.md **/AGENTS.override.md .agents/** .agentic/**",
    "other agents obey it": "**/CLAUDE.md **/CLAUDE.local.md **/GEMINI.md **/QWEN.md **/CRUSH.md **/CRUSH.local.md"
    " **/.claude/** **/.codex/**"
    " **/.cursor/** **/.gemini/** **/.qwen/** **/.opencode/** **/.crush/** **/.kiro/** **/.continue/** **/.roo/**"
    " **/.amazonq/** **/.junie/**"
    " **/.windsurf/** **/.goose/** **/.mcp.json **/opencode.json **/opencode.jsonc **/crush.json **/.crush.json **/.cursorrules"
    " **/.windsurfrules **/.clinerules **/.clinerules/** **/.roorules **/.goosehints **/.aider* .github/copilot-*",
    "an editor runs or obeys it": "**/.vscode/** **/.idea/** **/.devcontainer/** **/.devcontainer.json **/.zed/**"
    " **/.nvim.lua **/.exrc"
    " **/.vimrc **/.dir-locals.el **/*.code-workspace **/.fleet/**",
    "the project's CI runs it": ".github/** .gitlab-ci.yml .gitlab/** .circleci/** .travis.yml azure-pipelines.yml Jenkinsfile"
    " .buildkite/** .drone.yml .woodpecker* .pre-commit-config.yaml .ci/** bitbucket-pipelines.yml"
    " **/appveyor.yml **/.appveyor.yml **/cloudbuild.y*ml **/buildspec.y*ml **/Jenkinsfile* **/.gitlab-ci*.y*ml **/lefthook*.y*ml"
    " **/.lefthook*.y*ml **/wercker.yml **/codemagic.yaml **/.semaphore/** **/.teamcity/** **/netlify.toml **/vercel.json"
    " **/render.yaml **/fly.toml **/.platform.app.yaml **/app.json **/Procfile",
    "a shell runs it at its start": ".bashrc .bash_profile .bash_login .bash_logout .profile .zshrc .zshenv .zprofile .zlogin"
    " .config/fish/**",
    "a package manager or a build obeys it": "**/.npmrc **/.yarnrc **/.yarnrc.yml **/.yarn/plugins/** **/.yarn/releases/**"
    " **/.pnpmfile.cjs **/.pnp.*cjs **/.cargo/config.toml **/.cargo/config **/pip.conf **/.pypirc **/.netrc **/.curlrc **/.wgetrc"
    " **/.mvn/** **/.bazelrc **/.bazeliskrc **/.buckconfig **/.condarc **/.gemrc **/.bundle/config **/.rspec **/.pylintrc"
    " **/gradlew **/gradlew.bat **/gradle/wrapper/** **/mvnw **/mvnw.cmd **/init.gradle*",
    "a task runner runs it": "**/Justfile **/.justfile **/Taskfile.y*ml **/Taskfile.dist.y*ml **/.taskrc.y*ml",
}
# What git leaves while a rebase, a merge of several commits or the like waits: it runs nothing as long as it says nothing else.
_STATE_TEXT = """
head-name onto orig-head msgnum end message interactive no-reschedule-failed-exec stopped-sha patch amend rewritten-list
rewritten-pending quiet drop_redundant_commits keep_redundant_commits allow_rerere_autoupdate head abort-safety update-refs
current-fixups squash-onto rebasing applying next last original-commit final-commit utf8 keep sign threeway info msg [0-9]*
"""
_WAITING = ("rebase-merge", "rebase-apply", "sequencer")
_STEP = "pick|p|reword|r|edit|e|squash|s|fixup|f|drop|d|revert|label|l|reset|t|merge|m|update-ref|u"
_LINE = rf"[ \t]*(?:(?:{_STEP})[ \t][^\n]*|noop|break|b|#[^\n]*)?"
_WORKTREE = "**/.git/worktrees/*"  # what git keeps of a further worktree: it obeys the repository's configuration, and no other
_STEP_LISTS = "git-rebase-todo git-rebase-todo.backup done todo"
HARMLESS = {
    "": " ".join(
        (*(f"**/.git/{folder}" for folder in _WAITING), "**/.git/worktrees", _WORKTREE, f"{_WORKTREE}/logs", f"{_WORKTREE}/refs")
    ),
    r"\.\./\.\.\n": f"{_WORKTREE}/commondir",
    r"/[^\n]*/\.git\n": f"{_WORKTREE}/gitdir",
    r"ref: refs/heads/[^\n]*\n|[0-9a-f]{40,64}\n": f"{_WORKTREE}/HEAD",
    rf"(?:{_LINE}\n)*{_LINE}": " ".join(f"**/.git/{folder}/{name}" for folder in _WAITING for name in _STEP_LISTS.split()),
    r"(?:GIT_AUTHOR_(?:NAME|EMAIL|DATE)='[^'\n]*'\n)*": " ".join(f"**/.git/{folder}/author-script" for folder in _WAITING),
    ".+": " ".join(f"{_WORKTREE}/{name}" for name in ("index", "ORIG_HEAD", "COMMIT_EDITMSG", "logs/HEAD")),
    ".*": " ".join(f"**/.git/{folder}/{name}" for folder in _WAITING for name in _STATE_TEXT.split()),
}
ASKED = {
    "a program may run or obey it": "**/.* **/.*/**",
    "nothing runs or obeys it": "!**/.gitignore !**/.gitkeep !**/.keep !**/.dockerignore !**/.prettierignore !**/.eslintignore"
    " !**/.npmignore !**/.stylelintignore !**/.helmignore !**/.gcloudignore !**/.vercelignore !**/.rgignore"
    " !**/.ignore !**/.nojekyll !**/.mailmap !**/.editorconfig !**/.env.example !**/.env.sample !**/.env.template"
    " !**/.env.dist !**/.env.defaults !**/.changeset/*.md !**/.well-known/**",
}
PRIVATE = {
    "it may hold passwords and keys": ".env .env.* **/.env **/.env.* **/*.pem **/*.key **/id_rsa **/id_ed25519"
    " **/id_ecdsa **/*.p12"
    " **/*.pfx **/*.keystore **/credentials.json **/service-account*.json **/.netrc **/.pypirc **/.npmrc **/.htpasswd"
    " **/secrets.y*ml **/secrets.toml **/.git-credentials **/*.kdbx",
    "made to be read": "!**/.env.example !**/.env.sample !**/.env.template !**/.env.dist !**/.env.defaults",
}
HIDDEN = """
    ~/.ssh ~/.gnupg ~/.aws ~/.azure ~/.config/gcloud ~/.config/gh ~/.config/glab-cli ~/.config/hub ~/.kube ~/.docker ~/.oci ~/.netrc
    ~/.git-credentials ~/.config/git/credentials ~/.pypirc ~/.npmrc ~/.yarnrc.yml ~/.cargo/credentials ~/.cargo/credentials.toml
    ~/.gem/credentials ~/.m2/settings.xml ~/.gradle/gradle.properties ~/.terraform.d ~/.config/doctl ~/.fly ~/.vault-token
    ~/.password-store ~/.local/share/keyrings ~/.local/share/kwalletd ~/Library/Keychains ~/.config/op ~/.config/sops ~/.age
    ~/.mozilla ~/.thunderbird ~/.config/google-chrome ~/.config/chromium ~/.config/BraveSoftware ~/.config/microsoft-edge
    ~/Library/Cookies ~/Library/Messages ~/Library/Mail ~/.bash_history ~/.zsh_history ~/.python_history ~/.psql_history
    ~/.mysql_history ~/.local/share/fish ~/.node_repl_history ~/.cache/huggingface/token ~/.huggingface ~/.config/agentic
    ~/.local/state/agentic ~/.codex ~/.claude ~/.claude.json ~/.gemini ~/.config/opencode ~/.local/share/opencode ~/.wandb
    ~/.config/wandb ~/.kaggle ~/.databrickscfg ~/.snowflake ~/.my.cnf ~/.pgpass ~/.config/rclone ~/.s3cfg ~/.boto
    /etc/shadow /etc/gshadow /etc/sudoers /etc/sudoers.d /etc/ssl/private
"""
VARIABLES = """
    PATH HOME USER LOGNAME SHELL LANG LANGUAGE LC_* TZ TERM COLORTERM COLUMNS LINES HOSTNAME PWD EDITOR XDG_CONFIG_HOME
    XDG_DATA_HOME XDG_CACHE_HOME XDG_STATE_HOME VIRTUAL_ENV CONDA_PREFIX CONDA_DEFAULT_ENV CONDA_EXE PYENV_ROOT PYTHONPATH
    PYTHONHOME PYTHONUTF8 PYTHONIOENCODING PYTEST_* UV_CACHE_DIR UV_PYTHON POETRY_HOME PIPX_HOME NODE_ENV NODE_PATH NODE_OPTIONS
    NVM_DIR
    NVM_BIN VOLTA_HOME FNM_* COREPACK_HOME PNPM_HOME BUN_INSTALL DENO_DIR CARGO_HOME CARGO_TARGET_DIR RUSTUP_HOME RUSTFLAGS
    RUST_BACKTRACE GOPATH GOROOT GOBIN GOCACHE GOMODCACHE GOFLAGS GOTOOLCHAIN JAVA_HOME JDK_HOME MAVEN_HOME M2_HOME GRADLE_HOME
    GRADLE_USER_HOME ANDROID_HOME ANDROID_SDK_ROOT DOTNET_ROOT GEM_HOME GEM_PATH RBENV_ROOT BUNDLE_PATH PERL5LIB LUA_PATH CC CXX
    CPP LD AR CFLAGS CXXFLAGS CPPFLAGS LDFLAGS MAKEFLAGS CMAKE_* PKG_CONFIG_PATH LIBRARY_PATH LD_LIBRARY_PATH DYLD_LIBRARY_PATH
    C_INCLUDE_PATH CPLUS_INCLUDE_PATH CUDA_* NVIDIA_* ROCR_* HIP_* OMP_NUM_THREADS MKL_NUM_THREADS OPENBLAS_* SSL_CERT_FILE
    SSL_CERT_DIR REQUESTS_CA_BUNDLE NODE_EXTRA_CA_CERTS NIX_PATH NIX_PROFILES NIX_SSL_CERT_FILE LOCALE_ARCHIVE SOURCE_DATE_EPOCH
"""
