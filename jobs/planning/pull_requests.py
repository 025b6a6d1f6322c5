"""Pull requests of the hub that convert pickled weights: looked for where an entry may take or be offered one, and
remembered, so that a sweep that goes on asks nothing and keeps to the commit that it began with."""

from __future__ import annotations

from collections.abc import Mapping

from huggingface_hub import is_offline_mode

from jobs.planning.memory import Memory, kept
from jobs.planning.resolved import Resolved, abridged
from qre.encoders.conversions import Conversion, HubPlace, find_conversions
from qre.encoders.hub import HubModel
from qre.encoders.hub_problems import HubProblem, printable

Looked = dict[HubPlace, "Conversion | None | HubProblem"]


def look_for_conversions(
    models: Mapping[HubPlace, HubModel], memory: Memory, ask_hub: bool, resolved: Resolved
) -> Looked:
    """What there is for each model whose weights are pickles: the pull request, none, or why the hub does not answer.
    Where the hub is not to be asked, what is not remembered is left out; where it is, only one that can be taken is not
    asked for again.
    """
    pickled = {place: model for place, model in models.items() if model.pickles}
    looked: Looked = dict(memory.read_conversions(pickled.values(), of_rule=ask_hub))
    if not ask_hub:
        return looked
    known = {place for place, one in looked.items() if isinstance(one, Conversion) and one.trusted}
    lacking = [model for place, model in pickled.items() if place not in known]
    if is_offline_mode():
        return looked | {model.place: HubProblem(model.repository, "offline") for model in lacking}
    answers = dict(zip([model.place for model in lacking], find_conversions(lacking), strict=True))
    found = {place: one for place, one in answers.items() if not isinstance(one, HubProblem)}
    kept(resolved, lambda: memory.write_conversions(found))
    silent = {place: one.reason for place, one in answers.items() if isinstance(one, HubProblem)}
    for reason in dict.fromkeys(silent.values()):
        named = [printable(place[0]) for place in silent if silent[place] == reason]
        resolved.notes.append(
            f"the hub did not tell whether a pull request adds safetensors ({reason}): {abridged(named)}"
        )
    return looked | answers
