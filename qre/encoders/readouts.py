"""Reading sentence vectors off a loaded sentence-transformers model: its own pipeline, and layers and poolings of its
transformer, from one forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qre.errors import EncoderError

if TYPE_CHECKING:
    import torch


class Reader:
    """Reads the readouts of a model.

    Attributes:
        refused: readouts that the model does not have -> why.
        readouts: the others.
    """

    def __init__(self, model, readouts: Sequence[tuple]):
        self._model = model
        self.refused = refused(model, readouts)
        self.readouts = [readout for readout in readouts if readout not in self.refused]
        config = getattr(model[0], "config", None)
        self._own_layers = bool(getattr(config, "output_hidden_states", False))  # its own modules may look at them
        if any(readout and readout[0] != "last" for readout in self.readouts):
            assert config is not None  # else they are refused
            config.output_hidden_states = True

    def read(self, features: dict) -> dict[tuple, torch.Tensor]:
        """The sentence vectors of every readout, as tensors (b, d). One forward pass of the first module serves all;
        the rest of the model's own pipeline is run as its `encode` runs it, whatever its modules are."""
        first: dict = {}

        def keep(module, args, output):
            first.update(output)
            if not self._own_layers:
                output.pop("all_layer_embeddings", None)
            return output

        hook = self._model[0].register_forward_hook(keep)
        try:
            own: Any = self._model(features)["sentence_embedding"] if () in self.readouts else None
            if own is None:
                self._model[0](features)
        finally:
            hook.remove()
        return {
            readout: self._one(first, *readout) if readout else own[..., : self._model.truncate_dim]
            for readout in self.readouts
        }

    def _one(self, first: dict, layer: int | str, pooling: str):
        """One layer and pooling, off the output of the first module."""
        from sentence_transformers.sentence_transformer.modules import Pooling

        state, rest = dict(first), list(self._model)[1:]
        prompted = all(module.include_prompt for module in rest if isinstance(module, Pooling))
        # a model's pooled output, if it has one, is of its last layer: cls must be taken from the layer that is asked
        # for
        state.pop("cls_token_embeddings", None)
        layers = state.get("all_layer_embeddings") if self._own_layers else state.pop("all_layer_embeddings", None)
        if isinstance(layer, str):  # "last"
            modules = [
                Pooling(module.embedding_dimension, pooling, include_prompt=prompted)
                if isinstance(module, Pooling)
                else module
                for module in rest
            ]
        else:
            if layers is None:  # its first module is of its own code, and leaves them out
                raise EncoderError(no_such_layer(layer, None))
            state["token_embeddings"] = layers[layer]
            modules = [Pooling(layers[layer].shape[-1], pooling, include_prompt=prompted)]
        for module in modules:
            state = module(state)
        return state["sentence_embedding"]


def refused(model, readouts: Sequence[tuple]) -> dict[tuple, str]:
    """Readouts that a model does not have -> why."""
    layers = getattr(getattr(model[0], "config", None), "num_hidden_layers", None)
    pooled = any(type(module).__name__ == "Pooling" for module in model)
    why = {}
    for readout in filter(None, readouts):
        if readout[0] == "last":
            if not pooled:
                why[readout] = "another pooling is asked for; this encoder has no pooling module"
        elif layers is None or readout[0] > layers:
            why[readout] = no_such_layer(readout[0], layers)
    return why


def no_such_layer(layer: int, layers: int | None) -> str:
    """What is said of a layer beyond those of an encoder; None: it has none that are known."""
    return (
        f"layer {layer} is asked for; this encoder has "
        f"{'no hidden states' if layers is None else f'hidden states 0 to {layers}'}"
    )
