"""LoRA adapters of small encoders, trained by nobody: random matrices from a seed."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np


def make_adapter(base: Path, folder: Path, names: str | None = None, seed: int = 0, **settings) -> Path:
    """Save an adapter over the encoder of sentence-transformers in `base`, as that library saves one.

    Args:
        names: what its file says of its base; None: the folder.
        settings: of peft's LoraConfig.
    """
    import torch
    from peft import LoraConfig
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(base), device="cpu")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model.add_adapter(_config(LoraConfig, settings))
    model.save(str(folder), create_model_card=False)
    return said(folder, base_model_name_or_path=names or str(base))


def make_causal_adapter(base: Path, folder: Path, seed: int = 0) -> Path:
    """Save an adapter over the plain causal language model in `base`, as peft saves one: no tokenizer, no modules."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft asks transformers in an older way
        torch.manual_seed(seed)
        model = get_peft_model(
            AutoModelForCausalLM.from_pretrained(base), _config(LoraConfig, {"target_modules": ["q_proj", "v_proj"]})
        )
    model.save_pretrained(folder)
    return folder


def _config(kind, settings: dict):
    return kind(
        **{"r": 4, "lora_alpha": 8, "target_modules": ["query", "value"], "init_lora_weights": False, **settings}
    )


def said(folder: Path, **values) -> Path:
    """Change what an adapter's file says."""
    file = folder / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))
    return folder


def merged(base: Path, adapter: Path, sentences: list[str]) -> np.ndarray:
    """Vectors (n, d) of an adapter of `make_adapter` by hand: W + (alpha / r) B A in the place of each W."""
    import torch
    from safetensors.torch import load_file
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(base), device="cpu")
    parameters = dict(model[0].auto_model.named_parameters())
    weights = load_file(adapter / "adapter_model.safetensors")
    with torch.no_grad():
        for name, down in weights.items():
            if name.endswith(".lora_A.weight"):
                place = name.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
                up = weights[name.replace("lora_A", "lora_B")]
                parameters[f"{place}.weight"] += 8 / 4 * up @ down
    return model.encode(sentences)


def causal_by_hand(base: Path, adapter: Path, sentences: list[str]) -> np.ndarray:
    """The hidden state (n, d) of each sentence's last token, by peft's own model of an adapter of
    `make_causal_adapter`."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter).eval()
    tokenizer = AutoTokenizer.from_pretrained(base)
    with torch.inference_mode():
        each = (
            model(**tokenizer(one, return_tensors="pt"), output_hidden_states=True).hidden_states[-1][0, -1]
            for one in sentences
        )
        return torch.stack(list(each)).numpy()
