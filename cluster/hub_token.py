"""Print the hub's token, read from a secret manager by the machine's own credentials.

    HF_TOKEN="$(python hub_token.py NAME)" && export HF_TOKEN && ray start ...

NAME is projects/PROJECT/secrets/SECRET/versions/latest for Google Cloud, the name or ARN of a secret for AWS, and
`none` where no token is wanted. Where the secret cannot be read, or is empty, one line on stderr says why and the exit
code is 1: then Ray must not start, since a node without its token would fail every gated encoder that comes to it.
`export HF_TOKEN="$(...)"` alone would swallow that exit code. The clients of both come with Ray's images.
"""

from __future__ import annotations

import base64
import sys

NONE = "none"


def read(name: str) -> str:
    """The secret's text, without blanks around it; empty for the name `none`.

    Raises:
        ValueError: no name, or an empty secret.
    """
    if name == NONE:
        return ""
    if not name.strip():
        raise ValueError("no name of a secret; where no token is wanted, HF_SECRET is none")
    if name.startswith("projects/"):
        from googleapiclient import discovery

        versions = discovery.build("secretmanager", "v1").projects().secrets().versions()
        text = base64.b64decode(versions.access(name=name).execute()["payload"]["data"]).decode()
    else:
        import boto3

        text = boto3.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"]
    if not text.strip():
        raise ValueError("the secret is empty")
    return text.strip()


def main(arguments: list[str]) -> int:
    """The exit code; the token goes to stdout, and what failed to stderr in one line, never with a value of the
    secret."""
    name = arguments[0] if arguments else ""
    try:
        print(read(name))
    except Exception as error:
        # of either cloud's client, of the network, of this machine's rights: the node must not start with any of them
        told = " ".join(str(error).split()) or type(error).__name__
        print(
            f"hub_token: {name or 'HF_SECRET'}: {told}; give the machine's identity the right to read it, or set "
            f"HF_SECRET=none",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
