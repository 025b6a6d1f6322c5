"""Which prompts the texts of a task get from an encoder: those that sentence-transformers and MTEB would take, and
under what name the score is kept."""

from __future__ import annotations

import re
from collections.abc import Mapping

from jobs.planning.units import Unit
from qre.encoders.spec import EncoderSpec, EndpointSpec, ModelSpec, own_prompt
from qre.errors import EncoderError
from qre.store.folder import content_key
from qre.tasks.retrieval import RetrievalTask
from qre.tasks.task import Task

# MTEB's
TYPES = {
    "sts": "STS",
    "pairs": "PairClassification",
    "classification": "Classification",
    "clustering": "Clustering",
    "retrieval": "Retrieval",
    # no types of MTEB's: the prompt of the sentences
    "alignment": "",
    "word_similarity": "",
    "word_pairs": "",
    "analogies": "",
}
BARE_NAME = re.compile(r"[\w.-]+")  # what is put before a text ends in a blank, a colon or the like


def prompts_of(task: Task, spec: EncoderSpec) -> tuple[str, str]:
    """What is put before the texts of a task: before queries and before documents; the same twice where a task does not
    tell them apart.

    What the task itself says goes first. Then, an encoder with a prompt of a person's choice has that everywhere. Else
    it is what the encoder's files state, as `encode_query`, `encode_document` and MTEB look it up: by the type of the
    task and the side, the type, the side. Of a query or document without such a prompt nothing is put before it, and
    before other texts what plain `encode` puts there. Encoders that are no models have none.

    Raises:
        EncoderError: the task names a prompt that this encoder does not have.
    """
    if not isinstance(spec, ModelSpec | EndpointSpec):
        return "", ""
    own, kind = {"query": "", "document": "", **dict(spec.prompts)}, TYPES[task.kind]
    chosen = spec.prompt != spec.default_prompt
    if not isinstance(task, RetrievalTask):
        prompt = spec.prompt if chosen else own.get(kind, spec.prompt)
        return prompt, prompt
    sides = []
    for side, said in (("query", task.query_prompt), ("document", task.document_prompt)):
        if said is not None:
            sides.append(_said(said, f"{side}_prompt", own))
        elif chosen:
            sides.append(spec.prompt)
        else:
            sides.append(next(own[name] for name in (f"{kind}-{side}", kind, side) if name in own))
    return sides[0], sides[1]


def looked_up(prompts: Mapping[str, str]) -> dict[str, str]:
    """Those of an encoder's prompts that `prompts_of` may take: of sides, and of types of tasks; those of single tasks
    of MTEB are left out."""
    return {
        name: text for name, text in prompts.items() if name.partition("-")[0] in ("query", "document", *TYPES.values())
    }


def _said(said: str, option: str, own: dict[str, str]) -> str:
    """The prompt of a name, or the text itself."""
    if said in own:
        return own[said]
    if BARE_NAME.fullmatch(said):
        raise EncoderError(
            f"{option}: no prompt {said!r}; this encoder has {', '.join(sorted(own))}; a text of your own ends in a "
            f"blank or a colon"
        )
    return said


def score_file(task: Task, unit: Unit) -> str:
    """The name that a score is kept under in the store: the unit's key; where other prompts than the unit's are put
    before texts, they are in the name."""
    try:
        prompts = prompts_of(task, unit.spec)
    except EncoderError:  # it gets no score
        return unit.key
    own = own_prompt(unit.spec)
    return unit.key if prompts == (own, own) else content_key({"unit": unit.key, "prompts": prompts})
