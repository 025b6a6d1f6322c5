"""Which files of an encoder count: one rule for what is fetched from the hub, what a folder's key holds, and what a
plan says of bytes.

Everything counts but what is known to change no number: a list of what is left out, since tokenizers read files of any
name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

VERSION = 2  # of the rule: a list of files that an older one made is asked for again

_OTHER_BACKENDS = r"onnx|openvino|coreml|tflite|ggml|gguf|.*\.mlpackage"
_TRAINING = r"checkpoint[-_]\d+|runs|logs?|wandb|mlruns|lightning_logs|tensorboard|eval|__pycache__|__macosx"
# what begins with a dot is a cache or a tool's own
_FOLDER = re.compile(rf"\..*|{_OTHER_BACKENDS}|{_TRAINING}", re.IGNORECASE)
_FILE = re.compile(
    r"\..*"
    r"|(readme|licen[cs]e|notice|changelog|citation|contributing|model_?card)(\.(md|rst|cff|html))?"
    r"|trainer_state\.json|(train|eval|all|predict)_results\.json|training_args\..*|(optimizer|scheduler|scaler)\.(pt|bin)|rng_state.*\.pth"
    r"|events\.out\.tfevents\..*|.*(_results|_evaluation.*|_eval.*)\.csv"
    r"|openvino_.*\.(xml|bin)"
    r"|.*\.(h5|msgpack|ot|onnx|onnx_data|gguf|ggml|mlmodel|tflite|pb|engine|trt|nemo)"  # weights of other back ends
    # to be read or looked at by people
    r"|.*\.(md|rst|pdf|png|jpe?g|gif|svg|webp|bmp|ico|mp[34]|mov|wav|html?|css|ipynb|log)"
    r"|.*\.(parquet|arrow|zip|tar|tgz|tar\.gz|tar\.bz2|7z|rar)"  # data sets and archives
    r"|.*\.(sh|bat|pyc|pyo|so|pyd|dll|dylib|exe|lock|tmp|part|incomplete)",
    re.IGNORECASE,
)
_PICKLE = re.compile(
    r"(pytorch_model|model|adapter_model|weights)[^/]*\.bin|[^/]*\.(pt|pth|pkl|pickle|ckpt|joblib)", re.IGNORECASE
)


def counts(name: str, modules: Collection[str] = ()) -> bool:
    """Whether a file can change a number, by its name in the repository; code apart.

    Args:
        name: the path, with "/".
        modules: folders that hold modules: what is in one counts, whatever the folder is called.
    """
    parent, _, file = name.rpartition("/")
    parts = parent.split("/") if parent else []
    for depth in range(1, len(parts) + 1):
        folder = "/".join(parts[:depth])
        if _FOLDER.fullmatch(parts[depth - 1]) and not any(f"{module}/".startswith(f"{folder}/") for module in modules):
            return False
    return not (_FILE.fullmatch(file) or is_pickle(file) or is_code(file))


def kept(sizes: Mapping[str, int], modules: Collection[str] = (), code: bool = False) -> tuple[tuple[str, int], ...]:
    """(name, bytes) of all that counts, in the order of names; with `code`, the Python files too."""
    return tuple(
        (name, sizes[name])
        for name in sorted(sizes)
        if counts(name, modules) or (code and is_code(name) and "/." not in f"/{name}")
    )


def is_code(name: str) -> bool:
    return name.lower().endswith(".py")


def is_pickle(name: str) -> bool:
    """Whether it is weights as a pickle: never loaded as they are, and by consent converted (pickled.py)."""
    file = name.rpartition("/")[2]
    return bool(_PICKLE.fullmatch(file)) and not _FILE.fullmatch(file)
