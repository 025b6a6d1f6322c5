"""The entry of a config that is an encoder behind an HTTP endpoint: all that speaks OpenAI's embeddings API."""

from __future__ import annotations

import datetime
import re
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from jobs.config.corpora import FittedEntry, label_of
from jobs.config.matrix_entry import MOST, checked_attributes
from qre.encoders.endpoint_url import checked_url
from qre.encoders.spec import EndpointSpec

VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,99}")


class EndpointEntry(FittedEntry):
    """An encoder behind an endpoint, as a person writes it."""

    source: Literal["endpoint"]
    url: str = Field(description="up to /v1, e.g. https://api.openai.com/v1")
    model: str = Field(min_length=1, max_length=200, description="as the server calls it")
    as_of: str = Field(description="the day, such as 2026-11-01, that tells which state of the model this is")
    dimensions: int | None = Field(None, ge=1, description="that the server is asked for; default: it is not asked")
    api_key_env: str | None = Field(None, description="the environment variable that holds the key; default: no key")
    name: str | None = Field(None, description="default: the model, with what differs from a bare entry")
    family: str | None = Field(None, description="default: the model")
    prompt: str | None = Field(None, description="put before every sentence")
    prompt_name: str | None = Field(None, description="one of prompts")
    prompts: dict[str, str] = Field({}, description="name -> text: e.g. query and document, for retrieval")
    transforms: tuple[str, ...] = ()
    attributes: dict[str, Any] = Field(
        {}, max_length=MOST, description="columns of the map: name -> number, text, true or false, or a list of these"
    )
    price_per_million_tokens: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="in the currency of cluster.prices; 0 for a server of your own"
    )
    concurrency: int = Field(4, ge=1, le=256, description="requests in flight at once")
    texts_per_request: int = Field(64, ge=1, le=2048, description="at most; changes no number")
    patience_minutes: float = Field(
        5.0, gt=0, allow_inf_nan=False, description="for so long a request is tried again while nothing is answered"
    )

    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        return checked_url(value)

    @field_validator("as_of", mode="before")
    @classmethod
    def _day(cls, value: object) -> str:
        if isinstance(value, datetime.date):  # as YAML reads it
            return value.isoformat()[:10]
        try:
            return datetime.date.fromisoformat(str(value)).isoformat()
        except ValueError:
            raise ValueError("give a day, such as 2026-11-01") from None

    @field_validator("api_key_env")
    @classmethod
    def _variable(cls, value: str | None) -> str | None:
        if value is not None and not VARIABLE.fullmatch(value):
            raise ValueError(
                "name an environment variable (A-Z, 0-9 and _), such as OPENAI_API_KEY; the key itself stands in no "
                "config"
            )
        return value

    @field_validator("model", "name", "family")
    @classmethod
    def _printable(cls, value: str | None) -> str | None:
        return value if value is None else EndpointSpec._printable(value)

    @field_validator("transforms")
    @classmethod
    def _known_transforms(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return EndpointSpec._known_transforms(value)

    @field_validator("attributes")
    @classmethod
    def _plain(cls, value: dict[str, Any]) -> dict[str, Any]:
        return checked_attributes(value)

    @model_validator(mode="after")
    def _consistent(self):
        if self.prompt is not None and self.prompt_name is not None:
            raise ValueError("give prompt or prompt_name, not both")
        if self.prompt_name is not None and self.prompt_name not in self.prompts:
            raise ValueError(
                f"prompt_name: no prompt {self.prompt_name!r} in prompts; it has "
                f"{', '.join(sorted(self.prompts)) or 'none'}"
            )
        return self

    def spec(self) -> EndpointSpec:
        """Where the entry states its prompts, its `prompt` is the encoder's default; else it is one for all texts."""
        own = [
            f"{self.dimensions}d" if self.dimensions else "",
            f"prompt:{self.prompt_name}" if self.prompt_name else "",
            *self.transforms,
            "" if self.fitted_on is None else label_of(self.fitted_on),
        ]
        named = "/".join([self.model, *filter(None, own)])[:200]
        prompt = self.prompts[self.prompt_name] if self.prompt_name is not None else self.prompt or ""
        return EndpointSpec(
            name=self.name or named,
            family=self.family or self.model,
            url=self.url,
            model=self.model,
            as_of=self.as_of,
            dimensions=self.dimensions,
            prompt=prompt,
            prompts=tuple(sorted(self.prompts.items())),
            default_prompt=(self.prompt or "") if self.prompts else "",
            transforms=self.transforms,
            fitted_on=self.corpus_read,
            api_key_env=self.api_key_env,
            concurrency=self.concurrency,
            texts_per_request=self.texts_per_request,
            patience_minutes=self.patience_minutes,
            price=self.price_per_million_tokens,
        )
