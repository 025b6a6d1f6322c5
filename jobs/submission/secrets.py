"""Which files of a working directory are secrets, by their names and by what they hold: they are not sent to a cluster,
where all who see it read them.

Names in any case: token.txt and hf-token.json are secrets, tokenizer.json is none.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

FOLDERS = {
    ".ssh",
    ".aws",
    ".azure",
    ".kube",
    ".gnupg",
    ".gcloud",
    "gcloud",
    ".oci",
    ".huggingface",
    ".password-store",
    ".secrets",
    "secrets",
    ".docker",
    ".ray",
}
INSIDE = (".cache/huggingface", ".config/gcloud", ".config/gh", ".config/hub")
NAMES = re.compile(
    r"[._]?netrc|pip\.conf|\.?my\.cnf|\.env.*|.*\.env(\..*)?|\.git-credentials|\.pypirc|\.npmrc|\.yarnrc.*|\.pgpass|\.my\.cnf|\.htpasswd|\.s3cfg|\.boto|\.dockercfg|\.vault-token"
    r"|\.terraformrc|.*\.tfstate(\..*)?|.*\.tfvars|kubeconfig.*|.*\.kubeconfig|id_(rsa|dsa|ecdsa|ed25519).*"
    r"|.*\.(pem|key|p12|pfx|kdbx?|jks|keystore|ppk|pkcs12|p8|ovpn|keytab)(\.(bak|old|gpg|enc))?",
    re.IGNORECASE,
)
PARTS = re.compile(
    r"secret(?!ar)|credential|passw(or)?d|passphrase|service[-_.]?account|api[-_.]?key|private[-_.]?key", re.IGNORECASE
)
TOKEN = re.compile(r"tokens?(?![a-z])", re.IGNORECASE)  # also hftoken; not tokenizer, tokenised
OF_ENCODERS = {"added_tokens.json", "special_tokens_map.json", "tokens.txt"}  # files that tokenizers come with
# judged by what they hold
CODE = (".py", ".pyi", ".pyx", ".c", ".cc", ".cpp", ".h", ".rs", ".go", ".js", ".ts", ".java", ".ipynb", ".md", ".rst")
CONTENTS = {  # what it is -> one of these is in it (which is fast to look for), and then the pattern
    "a private key": (
        (b"PRIVATE KEY", b"private_key", b"PuTTY-User-Key-File"),
        (rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----|\"private_key\"\s*:\s*\"|PuTTY-User-Key-File"),
    ),
    "a token of the hub": ((b"hf_", b"api_org_"), rb"(?<![A-Za-z0-9_])(hf|api_org)_[A-Za-z0-9]{30,}"),
    "a key of AWS": (
        (b"AKIA", b"ASIA", b"aws_se", b"AWS_SE"),
        (
            rb"(?<![A-Za-z0-9])(AKIA|ASIA)(?![A-Z0-9]{9}EXAMPLE)[A-Z0-9]{16}(?![A-Za-z0-9/+=])"
            rb"|(?i:aws_(secret_access_key|session_token))[\"']?\s*[=:]\s*[\"']?[A-Za-z0-9/+=]{40}(?<!EXAMPLEKEY)"
        ),
    ),
    "a password in an address": (
        (b"://",),
        rb"[a-z][a-z0-9+.-]*://[^\s/:@\"'<>{}$]+:(?!\d+@)[^\s/@\"'<>{}$]{3,}@[A-Za-z0-9]",
    ),
    "a webhook's address": (
        (b"hooks.slack.com", b"discord.com/api/webhooks", b"discordapp.com/api/webhooks"),
        (rb"hooks\.slack\.com/(services|workflows)/[A-Za-z0-9/]{12,}|discord(app)?\.com/api/webhooks/\d+/[\w-]{20,}"),
    ),
    "an account's key": (
        (b"AccountKey=", b'"auths"'),
        rb"AccountKey=[A-Za-z0-9+/=]{40,}|\"auths\"\s*:\s*\{[^}]*\"auth\"\s*:\s*\"[A-Za-z0-9+/=]{8,}",
    ),
    "a signed token": (
        (b"eyJ",),
        rb"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}",
    ),
    "a token": (
        (b"gh", b"glpat-", b"xox", b"npm_", b"pypi-", b"AIza", b"sk-", b"refresh_token"),
        (
            rb"(?<![A-Za-z0-9_-])(gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{40,}|glpat-[A-Za-z0-9_-]{20}|xox[abprs]-[A-Za-z0-9-]{20,}|npm_[A-Za-z0-9]{36}"
            rb"|pypi-AgE[A-Za-z0-9_-]{40,}|AIza[A-Za-z0-9_-]{35}|sk-[A-Za-z0-9_-]{40,}|\"refresh_token\"\s*:\s*\"[^\"]{20,})"
        ),
    ),
}
BLOCK, OVERLAP = 2**22, 400  # bytes that are looked through at once, and again with the next ones


def secret_name(name: str, of_encoder: bool = False) -> str | None:
    """Why a file is a secret by its name, with "/" between parts; None where it is none.

    Args:
        of_encoder: the folder of an encoder needs it: words like token then say nothing.
    """
    *folders, file = PurePosixPath(name).parts
    for folder in folders:
        if folder.lower() in FOLDERS:
            return f"in a folder {folder}"
    for inside in INSIDE:
        if f"/{inside}/" in f"/{name.lower()}":
            return f"in {inside}"
    if NAMES.fullmatch(file):
        return "named as a secret"
    if of_encoder or file.lower() in OF_ENCODERS or file.lower().endswith(CODE):
        return None
    if (found := PARTS.search(file) or TOKEN.search(file)) is not None:
        return f"{found[0]!r} in its name"
    return None


def secret_content(path: Path) -> str | None:
    """What secret a file holds; None where none is known. OSError where it cannot be read."""
    with open(path, "rb") as file:
        before = b""
        while block := file.read(BLOCK):
            text = before + block
            for what, (signs, pattern) in CONTENTS.items():
                if any(sign in text for sign in signs) and re.search(pattern, text):
                    return f"holds {what}"
            before = text[-OVERLAP:]
    return None


def secret(path: Path, name: str, of_encoder: bool = False) -> str | None:
    """Why a file, also one behind a link, is a secret; None where it is none.

    Args:
        name: from the working directory.
    """
    why = secret_name(name, of_encoder)
    if why is None and (real := path.resolve()) != path:
        why = secret_name(real.relative_to("/").as_posix(), of_encoder)
    return why or secret_content(path)
