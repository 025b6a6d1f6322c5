"""Print the hub's token, read from a secret manager by the machine's own credentials: `export HF_TOKEN="$(python hub_token.py NAME)"`.

NAME is projects/PROJECT/secrets/SECRET/versions/latest for Google Cloud, and the name or ARN of a secret for AWS. Where it cannot be read, only stderr says
why: the node starts without a token, and the sweep names the gated encoders. The clients of both come with Ray's images.
"""

from __future__ import annotations

import base64
import sys


def read(name: str) -> str:
    """The secret's text, without blanks around it."""
    if name.startswith("projects/"):
        from googleapiclient import discovery

        versions = discovery.build("secretmanager", "v1").projects().secrets().versions()
        return base64.b64decode(versions.access(name=name).execute()["payload"]["data"]).decode().strip()
    import boto3

    return boto3.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"].strip()


if __name__ == "__main__":
    print(read(sys.argv[1]))
