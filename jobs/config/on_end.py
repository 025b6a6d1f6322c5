"""`on_end` of a config: who is to be told how a sweep has ended."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator


class OnEnd(BaseModel):
    """What is run, or asked, when a sweep has ended. Nothing is keyed by it.

    Attributes:
        command: a program and its arguments, without a shell; it reads the JSON on stdin.
        url: the JSON is POSTed to it. It may hold a token: it is never shown or stored.
        url_env: the name of an environment variable, where the sweep runs, that holds the URL.
        seconds: how long it may take.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    command: tuple[str, ...] | None = Field(None, min_length=1)
    url: SecretStr | None = None
    url_env: str | None = Field(None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    seconds: float = Field(60.0, gt=0, le=3600)

    @field_validator("url")
    @classmethod
    def _web_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and (why := wrong_url(value.get_secret_value())):
            raise ValueError(why)
        return value

    @model_validator(mode="after")
    def _one_way(self):
        if sum(one is not None for one in (self.command, self.url, self.url_env)) != 1:
            raise ValueError("give command, url or url_env, one of them")
        return self


def wrong_url(url: str) -> str:
    """Why a URL cannot be told of an end; "" where it can. The URL is not in the words."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good or not url.isprintable() or " " in url:
        return "not an address of the web: it begins with https:// or http://, and names a host"
    return "no user or password goes into it" if parts.username is not None or parts.password is not None else ""
