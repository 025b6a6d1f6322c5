"""What a GPU hour costs, by GPU type: as people write the types, as Ray labels the nodes, and as torch names the
devices."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping

from qre.encoders.cost import GPUS
from qre.errors import UserError

ESTIMATED = tuple(gpu.name for gpu in GPUS)
KNOWN = (
    *ESTIMATED,
    "A100",
    "A10",
    "A16",
    "A30",
    "A40",
    "B200",
    "B300",
    "GB200",
    "GB300",
    "GH200",
    "H20",
    "K80",
    "L40",
    "L40S",
    "P4",
    "P100",
    "V100",
    "RTX-PRO-6000",
    "RTX-A6000",
    "RTX-3090",
    "RTX-4090",
    "RTX-5090",
    "MI100",
    "MI210",
    "MI250",
    "MI250X",
    "MI300A",
    "MI300X",
    "MI308X",
    "MI325X",
    "MI350X",
    "MI355X",
    "GAUDI",
    "MAX-1100",
    "MAX-1550",
)
OTHER = "other"  # of all types that have no price of their own, and of GPUs whose type nothing tells
SIZES = ("A100-40G", "A100-80G")  # Ray's label of both is A100; torch tells them apart
# words beside a type that change none
AROUND = re.compile(r"nvidia|tesla|geforce|amd|instinct|intel|gpu|oam|hf|sxm\d*|pcie|nvl|hbm\d*e?|\d+(g|gb|gib)")


def gpu_type(name: str, strict: bool = False) -> str | None:
    """The GPU type that a name means: "L4" for "NVIDIA L4" and "nvidia-l4", "A100-80G" for "NVIDIA A100-SXM4-80GB".
    None for none that is known, and for a slice of a GPU (MIG). `strict` refuses words that do not belong to a GPU's
    name."""
    words = [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]
    if "mig" in words:
        return None
    memory = next((word.rstrip("ib") for word in words if re.fullmatch(r"(40|80)(g|gb|gib)", word)), None)
    for known in sorted(set(KNOWN) - set(SIZES), key=lambda one: -len(one)):
        parts = known.lower().split("-")
        for start in range(len(words) - len(parts) + 1):
            if words[start : start + len(parts)] == parts:
                rest = words[:start] + words[start + len(parts) :]
                if strict and not all(AROUND.fullmatch(word) for word in rest):
                    return None
                return f"A100-{memory.upper()}" if known == "A100" and memory else known
    return None


def checked_prices(prices: Mapping[str, float]) -> dict[str, float]:
    """Prices of a GPU hour by GPU type, each type in one spelling.

    Raises:
        UserError: an unknown type (with the near ones), one type twice, or no price.
    """
    found: dict[str, float] = {}
    for name, price in prices.items():
        kind = OTHER if name == OTHER else gpu_type(name, strict=True)
        if kind is None:
            near = difflib.get_close_matches(name.upper(), KNOWN, n=3, cutoff=0.4)
            raise UserError(
                f"no GPU type {name!r}; "
                + (f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(KNOWN)}")
            )
        if kind in found:
            raise UserError(f"{name}: {kind} has two prices")
        if isinstance(price, bool) or not math.isfinite(price) or price < 0:
            raise UserError(f"{name}: a price of a GPU hour is a number from 0 on (given: {price!r})")
        found[kind] = float(price)
    return found


def read_prices(options: Iterable[str]) -> dict[str, float]:
    """Prices as `--price L4=0.80,H100=3.50` gives them.

    Raises:
        UserError: as checked_prices, or what is no NAME=NUMBER.
    """
    given: dict[str, float] = {}
    for pair in (pair.strip() for option in options for pair in option.split(",")):
        name, equals, price = (part.strip() for part in pair.partition("="))
        try:
            value = float(price)
        except ValueError:
            value = None
        if not name or not equals or value is None:
            raise UserError(
                f"--price: {pair!r} is not a price of a GPU hour; write --price L4=0.80,H100=3.50, with a point"
            )
        if name in given:
            raise UserError(f"--price: {name} has two prices")
        given[name] = value
    try:
        return checked_prices(given)
    except UserError as error:
        raise UserError(f"--price: {error}") from None


def price_of(kind: str | None, prices: Mapping[str, float]) -> float | None:
    """The price of an hour on a GPU of this type; None where it has none. A price of A100 is of both sizes; where only
    the sizes have prices and the size is not told, the dearer counts."""
    if kind is not None and kind in prices:
        return prices[kind]
    if kind in SIZES and "A100" in prices:
        return prices["A100"]
    sizes = [prices[size] for size in SIZES if size in prices] if kind == "A100" else []
    return max(sizes, default=prices.get(OTHER))
