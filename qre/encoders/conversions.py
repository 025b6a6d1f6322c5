"""Pull requests of the hub that add safetensors to an encoder whose weights are pickles, as the hub's converter makes
them. Nothing is taken of one that changes anything else."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from posixpath import join

from qre.encoders.cards import card_attributes
from qre.encoders.contents import counts, is_code
from qre.encoders.hub import COMMIT, HubModel, answered, each_answer, info_of
from qre.encoders.hub_problems import REMEDY, HubProblem, printable
from qre.encoders.pickled import SAFE_INDEX, SHARD

HubPlace = tuple[str, str]  # owner/name and commit
CONVERTER = "SFconvertbot"  # who makes them for the hub
WHOLE_SAFE = "model.safetensors"
ADDED = re.compile(r"model(-\d+-of-\d+)?\.safetensors|model\.safetensors\.index\.json")
# The same tensors take about as many bytes as a pickle; shared ones may be left out, or written more than once. Beside
# them a small file holds little but names.
MOST_TIMES, NAMES_BYTES = 2, 2**16
MOST_READ, MOST_LOOKED_AT = 1000, 8  # pull requests of a repository: the newest, and of these the likeliest


@dataclass(frozen=True)
class Conversion:
    """A pull request that adds safetensors to an encoder at a commit, and changes nothing else that counts.

    Attributes:
        ref: such as refs/pr/3.
        author: who made it.
        model: the encoder at the commit that the pull request had when it was looked at.
    """

    ref: str
    author: str
    model: HubModel

    @property
    def trusted(self) -> bool:
        """Whether it is the converter's or the repository's owner's: anybody can open a pull request, and put other
        numbers into it."""
        return self.author in _known_authors(self.model.repository)

    def __str__(self) -> str:
        return f"{printable(self.ref)} by {printable(self.author)}"

    @property
    def offer(self) -> str:
        """What there is to do with it."""
        taken = "conversions: accept takes it"
        if not self.trusted:
            taken = f"if you trust that author, revision: {self.model.revision} takes it"
        return f"{self} adds safetensors: {taken}"


class Unanswered(HubProblem):
    """A refusal that stands only because the hub did not answer whether a pull request converts the weights."""

    @property
    def transient(self) -> bool:
        return True


def find_conversions(models: Sequence[HubModel]) -> list[Conversion | None | HubProblem]:
    """The pull request that converts the weights of each of these models, None where there is none, or why the hub does
    not answer; in order, many at once."""
    return each_answer(models, lambda model: model.repository, find_conversion)


def find_conversion(model: HubModel) -> Conversion | None:
    """The pull request that adds safetensors for all pickles of a model: the converter's, else the owner's, else the
    first of another.

    Raises:
        HubProblem: the hub does not answer.
    """
    from huggingface_hub import HfApi

    name = model.repository
    refs = answered(name, lambda: HfApi().list_repo_refs(name, include_pull_requests=True)).pull_requests or ()
    heads = {ref.ref: ref.target_commit for ref in refs if COMMIT.fullmatch(ref.target_commit)}
    if not heads:
        return None
    listed = answered(
        name, lambda: list(islice(HfApi().get_repo_discussions(name, discussion_type="pull_request"), MOST_READ))
    )
    open_ones = [one for one in listed if one.status != "closed" and one.git_reference in heads]
    order = _known_authors(name)
    open_ones.sort(key=lambda one: (order.index(one.author) if one.author in order else len(order), one.num))
    blobs = None
    for one in open_ones[:MOST_LOOKED_AT]:
        blobs = blobs or _blobs(info_of(name, model.revision))
        ref = str(one.git_reference)
        found = _converted(model, blobs, info_of(name, heads[ref]))
        if found is not None:
            return Conversion(ref, one.author, found)
    return None


def weights_of(model: HubModel, accept: bool, pickled: bool, looked: Conversion | None | HubProblem) -> HubModel:
    """The model that an entry takes: where its weights are pickles and the entry accepts a conversion, that of the
    pull request; with consent the model itself.

    Args:
        accept, pickled: `conversions: accept` and `pickled_weights` of the entry.
        looked: what was found of pull requests, or why the hub did not answer.

    Raises:
        HubProblem: "pickle only", with what is offered.
    """
    if not model.pickles:
        return model
    if accept and isinstance(looked, Conversion) and looked.trusted:
        return looked.model
    unanswered = isinstance(looked, HubProblem) and looked.reason != "offline"
    if pickled and not (accept and unanswered):
        return model
    remedy = REMEDY["pickle only"]
    if isinstance(looked, Conversion):
        remedy = f"{looked.offer}; or pickled_weights: true converts the pickle, apart and without a network"
    elif isinstance(looked, HubProblem):
        remedy = f"whether a pull request adds safetensors the hub did not tell ({looked.reason}); {remedy}"
    kind = Unanswered if accept and unanswered else HubProblem
    raise kind(model.repository, "pickle only", f"{model.pickles[0][0]}: weights as a pickle", remedy)


def _converted(model: HubModel, blobs: Mapping[str, str], info) -> HubModel | None:
    """The model at the commit of a pull request (`info`); None where it changes more than that it adds safetensors, or
    does not add them for each module.

    Args:
        blobs: git's id of the content of each file at the model's own commit.
    """
    there, commit = _blobs(info), info.sha or ""
    own = {*dict(model.files), *dict(model.python), *(name for name, *_ in model.pickles)}
    if not COMMIT.fullmatch(commit) or any(name not in blobs or there.get(name) != blobs[name] for name in own):
        return None
    places = {name.rpartition("/")[0] for name in own}
    added = {name for name in there if name not in own and (counts(name, places) or is_code(name))}
    lacking = {name.rpartition("/")[0] for name, *_ in model.pickles}
    if any(name.rpartition("/")[0] not in lacking or not ADDED.fullmatch(name.rpartition("/")[2]) for name in added):
        return None
    sizes = {sibling.rfilename: sibling.size or 0 for sibling in info.siblings or ()}
    if not all(_converts(model, folder, {name: sizes[name] for name in added}) for folder in lacking):
        return None
    known = {key: value for key, value in card_attributes(info).items() if value is not None}
    files = tuple(sorted({**dict(model.files), **{name: sizes[name] for name in added}}.items()))
    return replace(model, revision=commit, files=files, attributes={**model.attributes, **known}, pickles=())


def _converts(model: HubModel, folder: str, added: Mapping[str, int]) -> bool:
    """Whether files that are added (name -> bytes) can hold what the pickles of a folder hold. Shards are for
    transformers, at the top or where the pickles are shards: other classes read one file."""
    pickles = {name: size for name, size, _ in model.pickles if name.rpartition("/")[0] == folder}
    in_shards = not folder or any(SHARD.fullmatch(name.rpartition("/")[2]) for name in pickles)
    if join(folder, WHOLE_SAFE) not in added and not (in_shards and join(folder, SAFE_INDEX) in added):
        return False
    safe = [size for name, size in added.items() if name.rpartition("/")[0] == folder and name.endswith(".safetensors")]
    low, high = sum(pickles.values()) / MOST_TIMES - NAMES_BYTES, sum(pickles.values()) * MOST_TIMES + NAMES_BYTES
    return bool(safe) and min(safe) > 0 and low <= sum(safe) <= high


def _known_authors(repository: str) -> tuple[str, ...]:
    """The converter, and who a repository belongs to, where its name tells."""
    owner, slash, _ = repository.partition("/")
    return (CONVERTER, owner) if slash else (CONVERTER,)


def _blobs(info) -> dict[str, str]:
    return {sibling.rfilename: sibling.blob_id for sibling in info.siblings or () if sibling.blob_id}
