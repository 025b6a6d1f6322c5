"""What of a checkpoint's weights has not found its place in the model, and what of the model's is not in the
checkpoint.

Names are matched by the libraries that load a model, with all that they know of old names, prefixes and tied weights;
here their outcome is watched.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qre.encoders.adapters import trained_biases
from qre.errors import EncoderError

if TYPE_CHECKING:
    import torch

SHOWN = 3  # names of each list in a message
# a whole part that only another use of the checkpoint needs, by the first name that the body does not have: heads, and
# towers of other modalities
HEADS = re.compile(
    r"(cls|mlm|nsp|score|logit_\w+|temperature|vocab_\w+|\w*pooler|decoder|\w*(head|classif|prediction|qa_outputs|seq_relationship|generator|vision|visual|image|audio)\w*)"
)
# of a loss, mostly (SimCSE's mlp): people are told of them
PROJECTIONS = re.compile(r"(mlp|dense|linear|fc|\w*proj(ector|ection)?)_?\d*")
CONSTANTS = re.compile(
    r"(^|\.)(position_ids|token_type_ids|num_batches_tracked|inv_freq|(cos|sin)_cached|masked_bias|relative_position_(index|bucket))$"
)
_ONE_AT_A_TIME = threading.RLock()  # the libraries are watched by replacing functions of theirs


@dataclass
class Loading:
    """How one model took the weights of a file.

    Attributes:
        model: a torch module.
        missing: names that it has and the file has not, tied ones among them.
        told: those of `missing` that its library reports.
        left_over: names that the file has and the model has not.
        mismatched: names whose shapes differ.
    """

    model: torch.nn.Module
    missing: set[str]
    told: set[str]
    left_over: set[str]
    mismatched: set[str]

    def lacking(self) -> dict[str, torch.Tensor]:
        """The tensors that no file gave a value, by name: a tied one has its value from its other name; a buffer counts
        where its library tells of it."""
        tensors = self.model.state_dict(keep_vars=True)
        parameters = dict(self.model.named_parameters(remove_duplicate=False))
        given = {id(tensor) for name, tensor in tensors.items() if name not in self.missing}
        wanted = (
            name for name in sorted(self.missing) if name in tensors and (name in parameters or name in self.told)
        )
        lacks = {
            name: tensors[name] for name in wanted if id(tensors[name]) not in given and not CONSTANTS.search(name)
        }
        return dict({id(tensor): (name, tensor) for name, tensor in lacks.items()}.values())


class _Weights(dict):
    """The tensors of a file that a module picks by name: knows which were taken, and fails on one that is not there."""

    def __init__(self, tensors: dict):
        super().__init__(tensors)
        self.left = set(tensors)

    def __missing__(self, name):
        raise EncoderError(lacking_message([name], self.left))

    def __getitem__(self, name):
        self.left.discard(name)
        return super().__getitem__(name)

    def get(self, name, default=None):
        return self[name] if name in self else default

    def _all(self, view):
        self.left.clear()
        return view

    def __iter__(self):
        return self._all(super().__iter__())

    def keys(self):
        return self._all(super().keys())

    def items(self):
        return self._all(super().items())

    def values(self):
        return self._all(super().values())


class Watch:
    """What was loaded while it watched: `loadings`, one a model, and `picked`, files whose tensors a module picks by
    name."""

    def __init__(self):
        self.loadings: list[Loading] = []
        self.picked: list[_Weights] = []

    def problem(self) -> str:
        """Why what was loaded is not what the files hold; "" where nothing speaks against it yet (see `lacking`)."""
        mismatched = sorted(name for loading in self.loadings for name in loading.mismatched)
        if mismatched:
            count, names = _counted(mismatched, "weight")
            return f"{count} of another shape in the file than in the model{names}: its config is of another model"
        harmful = sorted(name for loading in self.loadings for name in _judged(loading)[0])
        harmful += sorted(name for weights in self.picked if len(weights.left) < len(weights) for name in weights.left)
        if harmful and (lacking := self.lacking()):
            return lacking_message(lacking, harmful)
        if harmful:
            count, names = _counted(harmful, "key")
            return (
                f"{count} of the file without a place in the model{names}, which may change its numbers{_mend(harmful)}"
            )
        return ""

    def lacking(self) -> dict[str, torch.Tensor]:
        """The tensors that no file gave a value, by name; they have values drawn at random."""
        return {name: tensor for loading in self.loadings for name, tensor in loading.lacking().items()}

    def left_over(self) -> list[str]:
        return sorted(
            {name for loading in self.loadings for name in loading.left_over}
            | {name for weights in self.picked for name in weights.left}
        )

    def notes(self) -> list[str]:
        """What was left out by the config's own word."""
        beyond = sorted(name for loading in self.loadings for name in _judged(loading)[1])
        count, names = _counted(beyond, "key")
        return (
            [
                f"{count} of the file of layers beyond those of its config, or of projections beside the body, not "
                f"used{names}"
            ]
            if beyond
            else []
        )


@contextmanager
def watched() -> Iterator[Watch]:
    """Watch every model that is loaded meanwhile, by transformers, by sentence-transformers, or by code of its own
    through torch."""
    from sentence_transformers.base.modules import Module
    from torch import nn
    from transformers import PreTrainedModel
    from transformers.integrations import PeftAdapterMixin

    watch = Watch()
    finalize, load_adapter, load_state, load_weights = (
        PreTrainedModel._finalize_model_loading,
        PeftAdapterMixin.load_adapter,
        nn.Module.load_state_dict,
        Module.load_torch_weights.__func__,  # type: ignore[attr-defined]  # a class method
    )

    def finalized(model, load_config, info):
        loading = Loading(model, set(info.missing_keys), set(), set(), set())
        watch.loadings.append(loading)
        try:
            return finalize(model, load_config, info)
        finally:
            loading.told, loading.left_over = set(info.missing_keys), set(info.unexpected_keys)
            loading.mismatched = {name for name, *_ in info.mismatched_keys}

    def loaded_adapter(model, *args, **keywords):
        unread: set[str] = set()

        def read(*args, **keywords):
            info, *rest = type(model)._load_pretrained_model(*args, **keywords)
            unread.update(info.missing_keys)  # of the base's weights the library tells nothing more
            return info, *rest

        model._load_pretrained_model = read
        try:
            info = load_adapter(model, *args, **keywords)
        except RuntimeError as error:
            if "mismatched" not in str(error):
                raise
            raise EncoderError(
                "matrices of the adapter are of another shape than adapter_config.json and its base say: they are of "
                "another base"
            ) from error
        finally:
            del model._load_pretrained_model
        missing = set(info.missing_keys) | (trained_biases(model) & unread)
        mismatched = {name for name, *_ in info.mismatched_keys}
        watch.loadings.append(Loading(model, missing, missing, set(info.unexpected_keys), mismatched))
        return info

    def loaded_state(module, state, strict=True, assign=False):
        outcome = load_state(module, state, strict=False, assign=assign)
        missing = set(outcome.missing_keys)
        watch.loadings.append(Loading(module, missing, missing, set(outcome.unexpected_keys), set()))
        return load_state(module, state, strict=True, assign=assign) if strict and any(outcome) else outcome

    def loaded_weights(cls, *args, **keywords):
        weights = load_weights(cls, *args, **keywords)
        if not isinstance(weights, dict):
            return weights
        watch.picked.append(_Weights(weights))
        return watch.picked[-1]

    with _ONE_AT_A_TIME:
        try:  # mypy sees wrong assignments here: functions of the libraries are replaced
            PreTrainedModel._finalize_model_loading = staticmethod(finalized)  # type: ignore[method-assign, assignment]
            PeftAdapterMixin.load_adapter = loaded_adapter  # type: ignore[method-assign, assignment]
            nn.Module.load_state_dict = loaded_state  # type: ignore[method-assign]
            Module.load_torch_weights = classmethod(loaded_weights)  # type: ignore[method-assign, assignment]
            yield watch
        finally:
            PreTrainedModel._finalize_model_loading = staticmethod(finalize)  # type: ignore[method-assign]
            PeftAdapterMixin.load_adapter = load_adapter  # type: ignore[method-assign]
            nn.Module.load_state_dict = load_state  # type: ignore[method-assign]
            Module.load_torch_weights = classmethod(load_weights)  # type: ignore[method-assign, assignment]


def poison(lacking: Mapping[str, torch.Tensor]) -> None:
    """Put NaN into the tensors that no file gave a value: whatever takes part of one shows it, in the first batch or in
    the last.

    Raises:
        EncoderError: one cannot hold NaN.
    """
    import torch

    with torch.no_grad():
        for name, tensor in lacking.items():
            if not tensor.is_floating_point():
                raise EncoderError(lacking_message([name], ()))
            tensor.fill_(float("nan"))


def lacking_message(lacking: Collection[str], left_over: Collection[str]) -> str:
    """That weights are not in the file, with the keys that were left over."""
    count, names = _counted(sorted(lacking), "weight")
    over, keys = _counted(sorted(left_over), "key")
    left = f"{over} of the file {'was' if len(left_over) == 1 else 'were'} left over{keys}"
    verb = "is" if len(lacking) == 1 else "are"
    return f"{count} of the model {verb} not in the file{names} and would not be as trained; {left}{_mend(left_over)}"


def _judged(loading: Loading) -> tuple[list[str], list[str]]:
    """(left-over names that may change a number, those of layers beyond the config's and of projections beside the
    body); heads are neither."""
    modules = dict(loading.model.named_modules())
    harmful: list[str] = []
    beyond: list[str] = []
    for name in loading.left_over:
        if ".lora_" in name:  # an adapter of another model
            harmful.append(name)
            continue
        parts = name.split(".")
        known = next(count for count in range(len(parts) - 1, -1, -1) if ".".join(parts[:count]) in modules)
        place, first = modules[".".join(parts[:known])], parts[known]
        if CONSTANTS.search(name) or (known == _root(loading.model, parts) and HEADS.fullmatch(first)):
            continue
        layers = first.isdigit() and hasattr(place, "__len__") and int(first) >= len(place)
        beside = known == _root(loading.model, parts) and known < len(parts) - 1 and PROJECTIONS.fullmatch(first)
        (beyond if layers or beside else harmful).append(name)
    return harmful, beyond


def _root(model, parts: list[str]) -> int:
    """How many of the first names of a key lead to the model's own body: 1 where the body is one attribute of the
    model, as in one with a head."""
    prefix = getattr(model, "base_model_prefix", "")
    return 1 if prefix and parts[0] == prefix and hasattr(model, prefix) else 0


def _counted(names: Collection[str], noun: str) -> tuple[str, str]:
    """Such as ("7 weights", " (a, b, c, ...)"): how many, and the first names."""
    names = list(names)
    more = ", ..." if len(names) > SHOWN else ""
    return (
        f"{len(names):,} {noun}{'' if len(names) == 1 else 's'}",
        f" ({', '.join(names[:SHOWN])}{more})" if names else "",
    )


def _mend(left_over: Collection[str]) -> str:
    if any(sign in name for name in left_over for sign in ("lora_", "base_layer.", "modules_to_save.")):
        return "; merge the adapter into the model (merge_and_unload) and save it again"
    if left_over and all(name.startswith("module.") for name in left_over):
        return "; it was saved from inside its data-parallel wrapper: save model.module"
    return "; save the encoder again from the model that was trained"
