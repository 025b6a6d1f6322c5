"""What a finished map tells of its config, so that a reader can make it again: which sentences, encoders and tasks, and
how.

Maps are passed on. So only the keys of KEPT are told, whatever a config holds beside them: no store, export, cluster or
address, and of a path its last part alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import BaseModel

from jobs.config.corpora import ClassicalEntry
from jobs.config.endpoint_entry import EndpointEntry
from jobs.config.entries import BuiltinSentences, CatalogueEntry, FileSentences, ListEntry, MtebScores, Plain
from jobs.config.matrix_entry import MatrixEntry
from jobs.config.model_entries import FolderEntry, HubEntry
from jobs.config.sweep_config import Prediction, SweepConfig
from jobs.config.words_entry import WordsEntry
from qre.atlas.settings import AtlasSettings
from qre.encoders.endpoint_url import public_url
from qre.encoders.hub_query import HubQuery
from qre.encoders.passes import EncodeSettings
from qre.encoders.variants import Sparsify, Variant
from qre.features import FeatureMethod
from qre.tasks import task_spec

_MODEL = (
    "source name family layer pooling prompt prompt_name prompts max_tokens pad_token dtype truncate_dim normalize "
    "transforms token_budget native plain pickled_weights variant fitted_on"
)
_TASK = "source kind name split format"
KEPT: Mapping[type[BaseModel], str] = {
    SweepConfig: "name sentences encoders pickled_weights conversions encode features tasks prediction atlas",
    BuiltinSentences: "source limit seed",
    FileSentences: "source column limit on_problem",
    CatalogueEntry: "source name include limit plain pickled_weights conversions",
    FolderEntry: _MODEL,
    HubEntry: f"{_MODEL} id query revision trust_remote_code code_revision conversions",
    HubQuery: "filter author search parameters sort limit",
    ListEntry: "source plain pickled_weights conversions",
    Plain: "pooling",
    Variant: "sparsify",
    Sparsify: "share score scope batches seed",
    ClassicalEntry: "source name family transforms fitted_on kind analyzer ngrams weighting rank window smoothing seed "
    "corpus",
    MatrixEntry: "source name family attributes transforms",
    WordsEntry: "source name family attributes transforms limit lowercase weighting",
    EndpointEntry: "source url model as_of dimensions api_key_env name family prompt prompt_name prompts transforms "
    "fitted_on attributes price_per_million_tokens concurrency texts_per_request patience_minutes",
    EncodeSettings: "token_budget chunk_sentences",
    FeatureMethod: "direction perturbation epsilon normalize center",
    Prediction: "folds inner_folds repeats permutations coverage seed group_by also sensitivity",
    AtlasSettings: "metric perplexity seed neighbours permutations labels",
    MtebScores: "source tasks benchmark revisions languages",
    task_spec.BuiltinTasks: "source include",
    task_spec.STSFile: f"{_TASK} columns",
    task_spec.PairsFile: f"{_TASK} columns",
    task_spec.ClassificationFile: f"{_TASK} columns samples_per_label repeats",
    task_spec.ClusteringFile: f"{_TASK} columns sample repeats documents",
    task_spec.RetrievalFile: f"{_TASK} corpus_columns query_columns qrels_columns ignore_identical_ids query_prompt "
    f"document_prompt on_problem",
    task_spec.WordSimilarityFile: f"{_TASK} columns template",
    task_spec.WordPairsFile: f"{_TASK} columns random template",
    task_spec.AnalogiesFile: f"{_TASK} include methods vocabulary_limit template",
    task_spec.WordSimilarityColumns: "word1 word2 score",
    task_spec.WordPairColumns: "word1 word2 relation",
    task_spec.STSColumns: "sentence1 sentence2 score",
    task_spec.PairColumns: "sentence1 sentence2 label",
    task_spec.LabelColumns: "text label",
    task_spec.ClusteringColumns: "text label set",
    task_spec.QueryColumns: "id text",
    task_spec.DocumentColumns: "id text title",
    task_spec.QrelColumns: "query document relevance",
}
ADDRESSES: Mapping[type[BaseModel], str] = {EndpointEntry: "url"}  # told where all may know it
LAST_PART: Mapping[type[BaseModel], str] = {
    FileSentences: "path",
    FolderEntry: "path base",
    ListEntry: "path",
    Sparsify: "pairs",
    MatrixEntry: "path texts",
    WordsEntry: "path",
    MtebScores: "results",
    task_spec.STSFile: "path",
    task_spec.PairsFile: "path",
    task_spec.ClassificationFile: "train test label_groups",
    task_spec.ClusteringFile: "path label_groups",
    task_spec.RetrievalFile: "corpus queries qrels",
    task_spec.WordSimilarityFile: "path",
    task_spec.WordPairsFile: "path",
    task_spec.AnalogiesFile: "path vocabulary",
}
ALWAYS = ("name", "sentences", "source", "kind")  # also where they are the default
WHOLE = (BuiltinSentences, FeatureMethod)  # of which one value means little, or is another's default


def to_make_again(config: SweepConfig) -> dict:
    """The config as plain values, as one would write it: what is at its default is left out. With the paths of one's
    own and a store it is a config that makes the same map."""
    return _told(config)


def _told(record: BaseModel) -> dict:
    kind = type(record)
    kept, paths = KEPT.get(kind, "").split(), LAST_PART.get(kind, "").split()
    found = {}
    for key, field in kind.model_fields.items():
        value = getattr(record, key)
        usual = not field.is_required() and value == field.get_default(call_default_factory=True)
        if usual and key not in ALWAYS and not isinstance(record, WHOLE):
            continue
        if key in kept:
            found[key] = shown_address(value) if key == ADDRESSES.get(kind) else _plain(value)
        elif key in paths:
            found[key] = [last_part(one) for one in value] if isinstance(value, tuple) else last_part(value)
    return found


def _plain(value: object):
    if isinstance(value, BaseModel):
        return _told(value)
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, (tuple, list)) else value


def shown_address(url: str) -> str:
    """An address, or in its place one of this machine, where it is of a private network."""
    return public_url(url) or "http://localhost/v1"


def last_part(path: str) -> str:
    """The name of a file or folder, of this machine, another or a bucket."""
    scheme, address, place = path.rpartition("://") if "://" in path else ("", "", path)
    if address:
        place = re.split(r"[?#]" if scheme.startswith("http") else r"[?]", place)[0]
        host, slash, rest = place.partition("/")
        place = host.rpartition("@")[2] + slash + rest  # who signs in there, and with what, is nobody's business
    return place.replace("\\", "/").rstrip("/").rpartition("/")[2]
