"""The options that say how an encoder of the command line is run: the same for every command that embeds."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, get_type_hints

import typer


def _options(
    layer: Annotated[int | None, typer.Option(min=0, help="hidden state to read, with --pooling")] = None,
    pooling: Annotated[
        str | None,
        typer.Option(help="cls, mean, max, weightedmean or lasttoken; an encoder without modules.json needs it"),
    ] = None,
    prompt: Annotated[str | None, typer.Option(help="put before every sentence")] = None,
    prompt_name: Annotated[str | None, typer.Option(help="one of the encoder's own prompts")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=2, help="longer sentences are cut")] = None,
    pad_token: Annotated[
        str | None, typer.Option(help="where its tokenizer has none: a token of its vocabulary to pad with")
    ] = None,
    dtype: Annotated[str | None, typer.Option(help="float32, bfloat16 or float16")] = None,
    truncate_dim: Annotated[int | None, typer.Option(min=1, help="the first K dimensions")] = None,
    normalize: Annotated[bool, typer.Option("--normalize", help="unit length at the end")] = False,
    native: Annotated[
        bool, typer.Option("--native", help="transformers' own class, where the encoder also names code of its own")
    ] = False,
    token_budget: Annotated[
        int | None, typer.Option(min=16, help="most tokens in a batch; default: the map's, without one 1,024")
    ] = None,
) -> None:
    """Keys of a config's entry of an encoder; None and False where they are not given."""


def with_encoder_options(command: Callable) -> Callable:
    """A command that takes these options, before its own trust_remote_code; it is given them as a dict, `options`."""
    names = tuple(inspect.signature(_options).parameters)

    @functools.wraps(command)
    def heard(**given):
        return command(options={name: given.pop(name) for name in names}, **given)

    own = [one for one in _parameters(command) if one.name != "options"]
    at = next(number for number, one in enumerate(own) if one.name == "trust_remote_code")
    taken = [*own[:at], *_parameters(_options), *own[at:]]
    heard.__signature__ = inspect.Signature(taken)  # type: ignore[attr-defined]  # typeshed: not of a wrapper
    heard.__annotations__ = {one.name: one.annotation for one in taken}
    return heard


def _parameters(command: Callable) -> list[inspect.Parameter]:
    hints = get_type_hints(command, include_extras=True)
    return [
        one.replace(annotation=hints[one.name], kind=inspect.Parameter.KEYWORD_ONLY)
        for one in inspect.signature(command).parameters.values()
    ]
