"""Task specs: the frozen records by which a config names its tasks.

    - {source: builtin, include: ["builtin/sts*"]}
    - {source: file, kind: sts, name: stsb, path: sts-test.csv, format: tsv-unquoted, columns: {sentence1: 5, sentence2:
      6, score: 4}}
    - {source: file, kind: classification, name: intents, train: train.csv, test: test.csv, columns: {label: category}}
    - {source: file, kind: clustering, name: domains, path: "data_small.json#test", label_groups: domains.json, columns:
      {text: 0, label: 1}}
    - {source: file, kind: word_similarity, name: simlex, path: simlex.csv}
    - {source: file, kind: word_pairs, name: related, path: pairs.csv}
    - {source: file, kind: analogies, name: google, path: questions-words.txt, vocabulary: frequent.txt}
    - {source: file, kind: retrieval, name: faq, corpus: corpus.jsonl, queries: queries.jsonl, qrels: qrels.tsv}

Files are .csv, .tsv, .jsonl or .parquet, by their ending unless `format` says another. "tsv-unquoted" has tabs and no
quoting at all, "blanks" has blanks or tabs. Of a .json file it is the list under a key, which stands behind a #: rows
as lists (columns by position) or as objects. Files with columns by position have no header.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Literal, Union, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from qre.near_names import near_patterns, unmatched
from qre.paths import PathText

BUILTIN_NAMES = tuple(
    f"builtin/{name}" for name in ("sts", "sts-topic", "paraphrases", "topics", "topic-clusters", "retrieval")
)

Format = Literal["csv", "tsv", "tsv-unquoted", "blanks", "jsonl", "json", "parquet"]
Method = Literal["3cosadd", "3cosmul", "3cosavg", "lrcos", "only_b"]  # see analogy_methods.py
METHODS: tuple[Method, ...] = get_args(Method)
Column = Union[Annotated[int, Field(ge=0, strict=True)], str]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Columns(_Record):
    """The columns of one file, all by name or all by position; a field that is None is a column that the file may have,
    under the field's name."""

    @model_validator(mode="after")
    def _one_way(self):
        given = [column for column in self.model_dump().values() if column is not None]
        if len({type(column) for column in given}) > 1:
            raise ValueError("give all columns by name, or all by position")
        return self


class STSColumns(Columns):
    """A pair and its gold score, a number of any scale."""

    sentence1: Column = "sentence1"
    sentence2: Column = "sentence2"
    score: Column = "score"


class PairColumns(Columns):
    """A pair, and 1 where it belongs together, else 0."""

    sentence1: Column = "sentence1"
    sentence2: Column = "sentence2"
    label: Column = "label"


class LabelColumns(Columns):
    """A text and its class."""

    text: Column = "text"
    label: Column = "label"


class ClusteringColumns(LabelColumns):
    """A text, its class, and the set that it is clustered in, where there are several."""

    set: Column | None = None


class WordSimilarityColumns(Columns):
    """Two words and their gold score, a number of any scale."""

    word1: Column = "word1"
    word2: Column = "word2"
    score: Column = "score"


class WordPairColumns(Columns):
    """Two words and the name of their relation."""

    word1: Column = "word1"
    word2: Column = "word2"
    relation: Column = "relation"


class QueryColumns(Columns):
    """A query."""

    id: Column = "id"
    text: Column = "text"


class DocumentColumns(QueryColumns):
    """A document; a title stands before its text, with a space between."""

    title: Column | None = None


class QrelColumns(Columns):
    """How relevant a document is for a query: a whole number, 0 for not at all. With `relevance: null` a file may have
    no such column: each row's is 1."""

    query: Column = "query"
    document: Column = "document"
    relevance: Column | None = "relevance"


class BuiltinTasks(_Record):
    """The tasks made of built-in sentences, or those whose names match: see builtin.py."""

    source: Literal["builtin"] = "builtin"
    include: tuple[str, ...] = Field(
        ("*",), min_length=1, description="shell patterns on task names, e.g. builtin/sts*"
    )

    @field_validator("include")
    @classmethod
    def _known(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in unmatched(patterns, BUILTIN_NAMES):
            raise ValueError(
                f"no built-in task matches {pattern!r}; there are "
                f"{', '.join(BUILTIN_NAMES)}{near_patterns(pattern, BUILTIN_NAMES)}"
            )
        return patterns

    def names(self) -> tuple[str, ...]:
        """The names of the tasks that are meant."""
        return tuple(name for name in BUILTIN_NAMES if any(fnmatchcase(name, pattern) for pattern in self.include))


class _TaskFile(_Record):
    source: Literal["file"]
    name: str = Field(pattern=r"^[^\x00-\x1f\x7f]{1,200}$", description="what people read; unique in a config")
    split: str = Field("test", description="what is scored, for people")
    format: Format | None = Field(None, description="of all its files; default: by their endings")

    def files(self) -> dict[str, str]:
        """Field -> file, without the key of a list inside it."""
        fields = ("path", "train", "test", "corpus", "queries", "qrels", "label_groups", "vocabulary")
        return {field: name.partition("#")[0] for field in fields if (name := getattr(self, field, None)) is not None}


class STSFile(_TaskFile):
    """Semantic textual similarity: see STSTask."""

    kind: Literal["sts"]
    path: PathText
    columns: STSColumns = STSColumns()


class PairsFile(_TaskFile):
    """Pair classification: see PairsTask."""

    kind: Literal["pairs"]
    path: PathText
    columns: PairColumns = PairColumns()


class ClassificationFile(_TaskFile):
    """Few-shot classification: see ClassificationTask."""

    kind: Literal["classification"]
    train: PathText
    test: PathText
    columns: LabelColumns = LabelColumns()
    label_groups: PathText | None = Field(None, description="a JSON file {group: [labels]}: the groups are the classes")
    samples_per_label: int = Field(8, ge=1)
    repeats: int = Field(10, ge=1, le=1000)


class ClusteringFile(_TaskFile):
    """Clustering: see ClusteringTask."""

    kind: Literal["clustering"]
    path: PathText
    columns: ClusteringColumns = ClusteringColumns()
    label_groups: PathText | None = Field(None, description="a JSON file {group: [labels]}: the groups are the classes")
    sample: int = Field(16_384, ge=2, description="documents in one repeat, drawn with replacement; not with sets")
    repeats: int = Field(10, ge=1, le=1000, description="not with sets")
    documents: int | None = Field(None, ge=2, description="most documents to encode; not with sets")


class RetrievalFile(_TaskFile):
    """Retrieval: see RetrievalTask.

    Without columns the names of BEIR's files are known too: `_id`, and `query-id`, `corpus-id`, `score`. A prompt is
    one of the encoder's own by its name, or a text (`"query: "`); by default it is what the encoder states for queries
    and documents.
    """

    kind: Literal["retrieval"]
    corpus: PathText
    queries: PathText
    qrels: PathText
    corpus_columns: DocumentColumns = DocumentColumns()
    query_columns: QueryColumns = QueryColumns()
    qrels_columns: QrelColumns = QrelColumns()
    ignore_identical_ids: bool = Field(False, description="the document with the query's own id is not ranked")
    query_prompt: str | None = Field(None, description="put before every query: a prompt's name, or a text")
    document_prompt: str | None = Field(None, description="put before every document: a prompt's name, or a text")
    on_problem: Literal["error", "drop"] = Field(
        "error", description="drop: empty documents and queries, and judgements of absent ones, are left out"
    )


class _WordTask(_TaskFile):
    template: str = Field("{word}", description="the text that is made of a word: 'This is a {word}.'")

    @field_validator("template")
    @classmethod
    def _has_word(cls, value: str) -> str:
        if "{word}" not in value:
            raise ValueError("put {word} where the word stands")
        return value


class WordSimilarityFile(_WordTask):
    """Similarity of words: see WordSimilarityTask."""

    kind: Literal["word_similarity"]
    path: PathText
    columns: WordSimilarityColumns = WordSimilarityColumns()


class WordPairsFile(_WordTask):
    """Related words against random ones: see WordPairsTask."""

    kind: Literal["word_pairs"]
    path: PathText
    columns: WordPairColumns = WordPairColumns()
    random: str = Field(
        "random", min_length=1, description="the relation of pairs that belong not together; drawn where none is of it"
    )


class AnalogiesFile(_WordTask):
    """Analogies: see AnalogiesTask."""

    kind: Literal["analogies"]
    path: PathText = Field(description="a file in the format of Google's questions-words.txt, or a folder as of BATS")
    include: tuple[str, ...] = Field(
        ("*",), min_length=1, description="shell patterns on names of relations, or type/name"
    )
    methods: tuple[Method, ...] = Field(METHODS, min_length=1, description="the first makes the score")
    vocabulary: PathText | None = Field(
        None, description="a file with a word a line: candidates beside the task's own words"
    )
    vocabulary_limit: int | None = Field(None, ge=1, description="its first so many words")

    @model_validator(mode="after")
    def _fitting(self):
        if self.format is not None:
            raise ValueError("format is not for analogies: a file of questions or a BATS folder is read as it is")
        if len(set(self.methods)) < len(self.methods):
            raise ValueError("methods: one stands there twice")
        if self.vocabulary_limit is not None and self.vocabulary is None:
            raise ValueError("vocabulary_limit goes with vocabulary")
        return self


TaskFile = Annotated[
    Union[
        STSFile,
        PairsFile,
        ClassificationFile,
        ClusteringFile,
        RetrievalFile,
        WordSimilarityFile,
        WordPairsFile,
        AnalogiesFile,
    ],
    Field(discriminator="kind"),
]
TaskSpec = Annotated[Union[BuiltinTasks, TaskFile], Field(discriminator="source")]
