"""What the map means and what it does not, and the figures that say how good a map it is."""

from __future__ import annotations

from collections.abc import Mapping

from qre.atlas.neighbours import NEARNESS


def reading_part(facts: Mapping[str, object]) -> list[str]:
    """Lines of the page; `facts` is the headline of the map: what it lacks is left out."""
    lines = [
        "## How to read the map",
        "",
        f"{NEARNESS[0].upper()}{NEARNESS[1:]}.",
        "The nearest encoders of a static encoder, for example, may be random projections of the same dimension.",
        "The two axes, the scale and the width of the gaps mean nothing.",
        "",
    ]
    if "family_share" in facts:
        lines.append(
            "- " + _family("Of each encoder's {k} nearest neighbours, {share:.0%} are of its own family", facts, "")
        )
        lines.append("- " + _family("Not counting near-copies of itself, {share:.0%} are", facts, "_other_parents"))
    if "trustworthiness" in facts:
        lines.append(
            f"- Trustworthiness of the drawing: {facts['trustworthiness']:.3f} (1 = neighbours on the map are "
            f"neighbours in the data)."
        )
    if "qre_smallest" in facts:
        lines.append(
            f"- Quantum relative entropy of the encoders: {facts['qre_smallest']:.2f} to {facts['qre_largest']:.2f} "
            f"nats."
        )
    return lines if lines[-1] else lines[:-1]


def _family(words: str, facts: Mapping[str, object], suffix: str) -> str:
    told = words.format(k=facts["neighbours"], share=facts[f"family_share{suffix}"])
    return f"{told} (at random {facts[f'family_chance{suffix}']:.0%}, p = {facts[f'family_p{suffix}']:.1g})."
