"""The entry of a config that is vectors of words in a file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from jobs.config.matrix_entry import GivenEntry


class WordsEntry(GivenEntry):
    """Vectors of words, as word2vec, GloVe and fastText write them; a sentence is the mean of its words' vectors."""

    source: Literal["words"]
    limit: int | None = Field(None, ge=1, description="read the first so many words of the file; default: all")
    lowercase: bool = Field(False, description="look up the words of texts in small letters, as the file has them")
    weighting: Literal["mean", "sif"] = Field("mean", description="sif: rare words count more")

    def _own(self) -> list[str]:
        said = [
            self.weighting if self.weighting != "mean" else "",
            "lowercase" if self.lowercase else "",
            f"first {self.limit}" if self.limit else "",
        ]
        return [one for one in said if one]
