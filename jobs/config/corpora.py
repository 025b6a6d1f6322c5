"""The corpus that an encoder's transforms are fitted on, in the place of the sentence set: as a config names it, and as
it is known once it is read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import Field, SerializeAsAny, model_validator

from jobs.config.entries import BuiltinSentences, FileSentences, Later, Record
from qre.encoders.spec import ClassicalSpec
from qre.encoders.transforms import needs_fit
from qre.tables import PACKED_ENDINGS

if TYPE_CHECKING:
    from typing import Self  # Python 3.10 has none

NONE_FITTED = (
    "none of its transforms is fitted on anything: give one that is, such as transforms: [whiten], or leave fitted_on "
    "out"
)


class ReadCorpus(Record):
    """A corpus that was read: what it is known by, and what names say of it. No config holds one."""

    source: Literal["read"] = "read"
    fingerprint: str
    label: str


Corpus = SerializeAsAny[Annotated[Union[BuiltinSentences, FileSentences], Field(discriminator="source")]]


def label_of(corpus: BuiltinSentences | FileSentences | ReadCorpus) -> str:
    """In a name: "on:wiki", "on:wiki:text:5000", "on:builtin:2000:s1"."""
    if isinstance(corpus, ReadCorpus):
        return corpus.label
    if isinstance(corpus, BuiltinSentences):
        told = ["builtin", str(corpus.limit), f"s{corpus.seed}" if corpus.seed else ""]
    else:
        packed = next((end for end in PACKED_ENDINGS if corpus.path.endswith(end)), "")
        told = [Path(corpus.path.removesuffix(packed)).stem, corpus.column or "", str(corpus.limit or "")]
    return ":".join(["on", *filter(None, told)])


class FittedEntry(Later):
    """An encoder whose transforms may be fitted on a corpus."""

    transforms: tuple[str, ...] = ()
    fitted_on: Corpus | None = Field(
        None, description="the corpus that its transforms are fitted on; default: the sentences of the sweep"
    )

    @model_validator(mode="after")
    def _fitted_on_something(self):
        if self.fitted_on is not None and not needs_fit(self.transforms):
            raise ValueError(f"fitted_on: {NONE_FITTED}")
        return self

    @property
    def corpus_read(self) -> str | None:
        """The fingerprint of its corpus, which was read; None without one."""
        if self.fitted_on is None:
            return None
        assert isinstance(self.fitted_on, ReadCorpus)  # it is read before a spec is made
        return self.fitted_on.fingerprint

    def with_corpus(self, corpus: BuiltinSentences | FileSentences | ReadCorpus) -> Self:
        """The entry with its corpus in another place, or read."""
        return self.model_copy(update={"fitted_on": corpus})


class ClassicalEntry(ClassicalSpec, FittedEntry):
    """A classical encoder, as a person writes it."""

    fitted_on: Corpus | None = None  # type: ignore[assignment]  # a record here, its fingerprint in the spec

    def spec(self) -> ClassicalSpec:
        """The spec that this entry makes, once its corpus is read."""
        values = {field: getattr(self, field) for field in ClassicalSpec.model_fields}
        return ClassicalSpec(**{**values, "fitted_on": self.corpus_read})


class NothingFitted(Record):
    """Vectors that somebody else has made."""

    @model_validator(mode="before")
    @classmethod
    def _no_corpus(cls, values: Any) -> Any:
        if isinstance(values, dict) and "fitted_on" in values:
            raise ValueError(
                "fitted_on is for encoders that run here; of given vectors (matrix, words) leave it out, or fit the "
                "transforms yourself (qre.fit_transforms) and give the vectors that come out"
            )
        return values
