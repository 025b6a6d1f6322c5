"""What is shown of a finished map."""

from __future__ import annotations

from pathlib import Path

from jobs.config import SweepConfig
from jobs.exports import finished_manifest
from jobs.planning.plan import Plan
from jobs.show.console import console
from qre.store import Store


def print_summary(settings: SweepConfig, store: Store, plan: Plan, folder: str | Path | None) -> None:
    """The closing word: what was made, where (None: it is in the store only), and the headline figures. FileNotFoundError where it is not there."""
    manifest = finished_manifest(settings.name, store)
    headline = manifest["headline"]
    lines = [
        f"map of {headline['encoders']} encoders in {headline['families']} families on {headline['sentences']} sentences"
        + (f"; {len(plan.failures)} failed" if plan.failures else ""),
        f"of each encoder's {headline['neighbours']} nearest neighbours {headline['family_share']:.0%} are of its own family"
        f" (chance {headline['family_chance']:.0%}, p = {headline['family_p']:.1g})",
        f"not counting near-copies of itself: {headline['family_share_other_parents']:.0%}"
        f" (chance {headline['family_chance_other_parents']:.0%}, p = {headline['family_p_other_parents']:.1g})",
        f"QRE from {headline['qre_smallest']:.2f} to {headline['qre_largest']:.2f} nats; trustworthiness of the map {headline['trustworthiness']:.3f}",
        *_prediction_lines(headline),
        *map_notes(settings, store, plan),
        f"in {folder or f'{store.location}/atlases/{settings.name}'}: {', '.join([*manifest['files'], 'manifest.json'])}",
    ]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def map_notes(settings: SweepConfig, store: Store, plan: Plan) -> tuple[str, ...]:
    """What the finished map of a plan tells its readers that the plan's own notes do not."""
    manifest = store.atlases.manifest(settings.name) if plan.atlas_done else None
    return tuple(note for note in (manifest or {}).get("notes") or () if note not in plan.notes)


def _prediction_lines(headline: dict) -> list[str]:
    """How well scores are predicted: ours, the paper's protocol, and what any reviewer would compare with."""
    from qre.atlas.report import counted, label

    if "spearman_ours" not in headline:
        return []
    told = {"ours": "", "ours+cka": "", "paper": "", "neighbours": "", "dimension": "", "spectrum": "", "cka": ""}
    for predictor in told:
        value = headline.get(f"spearman_{predictor.replace('+', '_')}")
        told[predictor] = "" if value is None else f"{label(predictor)} {value:.3f}"
    left_out = [f"{label(name)} {headline[key]:.3f}" for name in told if (key := f"spearman_{name.replace('+', '_')}_kinds") in headline]
    chance = f"; by chance 95 % are below {headline['spearman_ours_chance']:.2f}" if "spearman_ours_chance" in headline else ""
    return [
        *_left_out_lines(headline, left_out),
        f"scores on {counted(headline['predicted_tasks'], 'task')} predicted for {counted(headline['predicted_encoders'], 'encoder')}, near-copies kept "
        "together; mean Spearman:",
        f"  {told['ours']} ({headline['spearman_ours_low']:.3f} to {headline['spearman_ours_high']:.3f} over repeats), {told['ours+cka']}, {told['paper']}",
        f"  baselines: {', '.join(told[name] for name in ('neighbours', 'dimension', 'spectrum', 'cka') if told[name])}{chance}",
        f"  intervals of {headline['coverage_nominal']:.0%} hold {headline['coverage']:.1%} of the true scores of encoders of known kinds",
    ]


def _left_out_lines(headline: dict, told: list[str]) -> list[str]:
    """What is measured with kinds left out, first: it is what holds for an encoder of another origin."""
    lines = [f"scores of encoders whose whole kind was left out of {headline['kinds']}; mean Spearman: {', '.join(told)}"] if told else []
    for name, over in (("coverage_kinds_before", "groups"), ("coverage_kinds", "kinds")):
        if name in headline:
            width = f"median width {headline[f'{name}_width']:.2f}" if f"{name}_width" in headline else "without an end"
            lines.append(f"  intervals over {over} ({headline[f'{name}_nominal']:.0%}, {width}) hold {headline[name]:.1%} of their true scores")
    return lines
