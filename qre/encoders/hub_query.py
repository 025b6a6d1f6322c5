"""Which encoders of the hub there are: queries, and downloads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from qre.encoders.hub import answered, each_answer
from qre.encoders.hub_problems import HubProblem, reach, retried


class HubQuery(BaseModel):
    """Which encoders of the hub: as `HfApi.list_models` takes it.

    Attributes:
        parameters: least and most number of parameters, e.g. (None, 500_000_000).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    filter: tuple[str, ...] = ("sentence-transformers",)
    author: str | None = None
    search: str | None = None
    parameters: tuple[int | None, int | None] = (None, None)
    sort: Literal["created_at", "downloads", "last_modified", "likes", "trending_score"] = "downloads"
    limit: int = Field(100, ge=1, le=10_000)

    @field_validator("parameters")
    @classmethod
    def _some(cls, value: tuple[int | None, int | None]) -> tuple[int | None, int | None]:
        least, most = value
        if least is not None and most is not None and least > most:
            raise ValueError(f"[{least}, {most}] holds nothing: give the least, then the most")
        return value


def listed(query: HubQuery) -> dict[str, int]:
    """Name -> downloads of the encoders that a query finds, in its order.

    Raises:
        HubProblem: the hub does not answer.
    """
    from huggingface_hub import HfApi

    retried("the hub", reach)  # the client itself would try a listing for half a minute
    least, most = query.parameters
    bounds = ",".join([*([f"min:{least}"] if least else []), *([f"max:{most}"] if most else [])])
    return answered(
        "the hub",
        lambda: {
            model.id: model.downloads or 0
            for model in HfApi().list_models(
                filter=list(query.filter),
                author=query.author,
                search=query.search,
                num_parameters=bounds or None,
                sort=query.sort,
                limit=query.limit,
            )
        },
    )


def downloads_of(
    names: Iterable[str], progress: Callable[[int], None] = lambda done: None
) -> list[tuple[str, int] | HubProblem]:
    """(the name that the hub knows it by now, downloads) of many encoders, as resolve_all."""
    return each_answer(list(names), lambda name: name, _downloads, progress)


def _downloads(repository: str) -> tuple[str, int]:
    from huggingface_hub import HfApi

    info = answered(repository, lambda: HfApi().model_info(repository, expand=["downloads"]))
    return info.id, info.downloads or 0
