"""The patterns of keys, by their makers' own prefixes: an expression that guesses would mask hashes and test data."""

_ASSIGNED = r"(?i)\b[\w-]*(?:passwo?r?d|passphrase|secret|api_?key|access_?key|auth_?token|private_?key|client_?secret)[\w-]*"
_VALUE = r"""["']?\s*[:=]\s*["']?(?P<secret>(?=[^\s"']*[0-9])(?=[^\s"']*[A-Za-z])[A-Za-z0-9+/_.~-]{16,})"""

SECRETS = {
    "private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----|[\s\S]*)",
    "AWS key": r"\b(?:AKIA|ASIA|AROA|AIDA)[0-9A-Z]{16}\b",
    "GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255})\b",
    "GitLab token": r"\bgl(?:pat|dt|rt|cbt|ptt|ft|soat)-[A-Za-z0-9_-]{20,}\b",
    "OpenAI or Anthropic key": r"\bsk-(?:proj-|svcacct-|ant-|or-)?[A-Za-z0-9_-]{20,}\b",
    "Hugging Face token": r"\bhf_[A-Za-z0-9]{30,}\b",
    "Google key": r"\bAIza[0-9A-Za-z_-]{35}\b",
    "Slack token": r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}\b",
    "Slack webhook": r"https://hooks\.slack\.com/services/[A-Za-z0-9/]{20,}",
    "Stripe key": r"\b[rs]k_(?:live|test)_[0-9A-Za-z]{20,}\b",
    "npm token": r"\bnpm_[A-Za-z0-9]{36}\b",
    "PyPI token": r"\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,}",
    "Docker token": r"\bdckr_pat_[A-Za-z0-9_-]{20,}\b",
    "DigitalOcean token": r"\bdo[opr]_v1_[a-f0-9]{64}\b",
    "SendGrid key": r"\bSG\.[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}\b",
    "Twilio key": r"\bSK[0-9a-f]{32}\b",
    "Telegram token": r"\b[0-9]{8,10}:AA[A-Za-z0-9_-]{33}\b",
    "Age key": r"\bAGE-SECRET-KEY-1[0-9A-Z]{58}\b",
    "JSON web token": r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
    "password in a URL": r"\b[a-z][a-z0-9+.-]*://[^\s:/@]+:(?P<secret>[^\s:/@]{3,})@",
    "assigned secret": _ASSIGNED + _VALUE,
}
