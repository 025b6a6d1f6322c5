"""PEFT adapters (LoRA): a few trained matrices beside the weights of another model, their base.

An adapter names its base and pins nothing. Here the base is pinned and looked through as the adapter is, and both are
loaded from this machine: transformers would fetch whatever the name gives on that day.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qre.encoders.plain import PARTS, TOKENIZER

if TYPE_CHECKING:
    from qre.encoders.linked import Replacement

CONFIG, WEIGHTS, PICKLED = "adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"
EXTRA = 'peft is not installed here; add it with: pip install -e ".[adapters]" in this project\'s checkout'
# keys of adapter_config.json that are read here as peft reads them, or that change nothing once an adapter is trained
KNOWN = frozenset(
    "peft_type task_type base_model_name_or_path revision peft_version auto_mapping inference_mode r lora_alpha "
    "lora_dropout target_modules exclude_modules fan_in_fan_out bias use_rslora use_dora lora_bias modules_to_save "
    "layers_to_transform layers_pattern rank_pattern alpha_pattern trainable_token_indices target_parameters "
    "ensure_weight_tying init_lora_weights megatron_core qalora_group_size".split()
)
# others change the base's weights before they train, so that what is saved belongs to other weights than the base's
PLAIN_STARTS = (None, True, False, "gaussian", "orthogonal")


@dataclass(frozen=True)
class Adapter:
    """The adapter that an encoder is; its files are at the top.

    Attributes:
        base: owner/name or a path, as its file names it; "" where it does not.
        revision: of the base, as its file names it; "" for the default branch.
    """

    base: str
    revision: str


def find_adapter(
    folders: Collection[str], documents: Mapping[str, object], sizes: Mapping[str, int]
) -> tuple[Adapter | None, str]:
    """The adapter that an encoder is, and why it cannot be loaded ("" where it can).

    Args:
        folders: those of its modules, "" for the top.
        documents: content of the JSON files, by name.
        sizes: bytes of every file.
    """
    places = [
        folder for folder in dict.fromkeys((*folders, "")) if (f"{folder}/{CONFIG}" if folder else CONFIG) in sizes
    ]
    if not places:
        return None, ""
    name = f"{places[0]}/{CONFIG}" if places[0] else CONFIG
    stated = documents.get(name)
    told = stated if isinstance(stated, dict) else {}
    adapter = Adapter(str(told.get("base_model_name_or_path") or ""), str(told.get("revision") or ""))
    return adapter, f"{name}: {why}" if (why := _problem(adapter, told, sizes, places)) else ""


def _problem(adapter: Adapter, told: Mapping, sizes: Mapping[str, int], places: Sequence[str]) -> str:
    if len(places) > 1:
        return f"it is one of {len(places)} adapters in one encoder"
    if places[0]:
        return "an adapter in the folder of a module, which no library loads; only one at the top is taken"
    if told.get("peft_type") != "LORA":
        return f"an adapter of the kind {told.get('peft_type')}; of these only LORA is taken"
    if not adapter.base:
        return "it does not name its base"
    if whole := [name for name in sizes if re.fullmatch(r"(pytorch_)?model[^/]*\.(safetensors|bin)", name)]:
        return f"{min(whole)} lies beside it: which of the two counts, its own weights or those of {adapter.base}?"
    if PICKLED in sizes and WEIGHTS not in sizes:
        return f"{PICKLED}: its weights are a pickle, which is not converted for an adapter"
    if told.get("init_lora_weights") not in PLAIN_STARTS:
        return f"init_lora_weights is {told['init_lora_weights']}: it belongs to other weights than those of its base"
    if strange := [key for key, value in told.items() if value and key not in KNOWN]:
        return f"{min(strange)} is set, which is not known here"
    return "" if has_peft() else EXTRA


def trained_biases(model) -> set[str]:
    """The names of the base's biases that an adapter's file holds beside its matrices, as its config says.

    Args:
        model: of transformers, with adapters in it.
    """
    told = {getattr(config, "bias", "none") for config in model.peft_config.values()}
    names = {name for name, _ in model.named_parameters() if "bias" in name and "lora_" not in name}  # as peft chooses
    if "all" in told:
        return names
    return {name for name in names if name.endswith(".base_layer.bias")} if "lora_only" in told else set()


def has_peft() -> bool:
    return importlib.util.find_spec("peft") is not None


def of_base(sizes: Mapping[str, int]) -> dict[str, int]:
    """The files of a base that count for an adapter: a checkpoint of transformers at the top, whatever modules of
    sentence-transformers stand around it."""
    return {
        name: size
        for name, size in sizes.items()
        if "/" not in name and name != "modules.json" and not PARTS.fullmatch(name)
    }


def on_base(folder: Path, base: Path) -> dict[str, Replacement]:
    """What stands in the place of an adapter's files so that it loads onto a base on this machine: name -> another
    file, a text, or None for no file."""
    told = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    told |= {"base_model_name_or_path": str(base), "revision": None}
    # with a config beside it, an adapter's folder is taken for its base
    replaced: dict[str, Replacement] = {CONFIG: json.dumps(told), "config.json": None}
    if not any(TOKENIZER.fullmatch(file.name) for file in folder.iterdir()):
        for file in sorted(base.iterdir()):
            if TOKENIZER.fullmatch(file.name) or file.name == "special_tokens_map.json":
                replaced[file.name] = file
    return replaced
