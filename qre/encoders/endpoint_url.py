"""Addresses of servers that speak OpenAI's embeddings API: which are taken, and what of one is shown to others."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit, urlunsplit

PORTS = {"http": 80, "https": 443}
PRIVATE_ENDINGS = ("localhost", "local", "internal", "lan", "home.arpa")
CARRIER = ipaddress.ip_network("100.64.0.0/10")  # addresses inside a provider's or an overlay network
HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?|[0-9a-f:.]*:[0-9a-f:.]*")
PRIVATE = "a private server"


def checked_url(url: str) -> str:
    """The address in one spelling: scheme, host, port where it is not the usual one, path without a slash at the end.
    What follows it in a request (/embeddings) is left out.

    Raises:
        ValueError: it is none, holds credentials, or is http:// to a host that may be anywhere. Nothing of the address
            is in the message, since it may hold a key.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise ValueError("not an address; write https://host/v1, with :port after the host where it has one") from None
    if parts.scheme not in PORTS:
        raise ValueError("an address begins with https:// or http://, e.g. https://api.openai.com/v1")
    if "@" in parts.netloc:
        raise ValueError("the address holds a user or a password; leave them out and name a variable with api_key_env")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise ValueError(
            "the address ends at its path: no ? or # (a key goes into the variable that api_key_env names)"
        )
    host = (parts.hostname or "").lower()
    if not HOST.fullmatch(host):
        raise ValueError("no host is in the address; write https://host/v1")
    if re.search(r"[^!-~]|[\\\"'<>{}|^`]", parts.path):
        raise ValueError("the path has characters that no address has; write https://host/v1")
    if parts.scheme == "http" and not is_private(host):
        raise ValueError(
            "http:// is for this machine and private networks: texts and key would go in the clear; write https://"
        )
    path = re.sub(r"/embeddings/*$", "", parts.path.rstrip("/")).rstrip("/")
    shown = f"[{host}]" if ":" in host else host.rstrip(".")
    netloc = shown if port in (None, PORTS[parts.scheme]) else f"{shown}:{port}"
    return urlunsplit(SplitResult(parts.scheme, netloc, path, "", ""))


def is_private(host: str) -> bool:
    """Whether a host is this machine or in a private network, as far as its name or address tells."""
    host = host.rstrip(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if re.fullmatch(r"(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+))*", host):
            return False  # an address in another spelling
        return "." not in host or any(host == end or host.endswith(f".{end}") for end in PRIVATE_ENDINGS)
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    inside = address.version == 4 and address in CARRIER
    return inside or address.is_loopback or address.is_private or address.is_link_local


def host_of(url: str) -> str:
    """Host and port of a checked address."""
    return urlsplit(url).netloc


def public_url(url: str) -> str | None:
    """A checked address as it may be passed on with a map; None where it is one of a private network."""
    return None if is_private(urlsplit(url).hostname or "") else url
