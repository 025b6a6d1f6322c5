"""The config: a YAML file as records that refuse unknown keys, and what is wrong with one that is refused."""

from jobs.config.endpoint_entry import EndpointEntry
from jobs.config.entries import BuiltinSentences, CatalogueEntry, FileSentences, ListEntry, MtebScores, Plain
from jobs.config.matrix_entry import MatrixEntry
from jobs.config.model_entries import FolderEntry, HubEntry
from jobs.config.slots import ClusterSettings
from jobs.config.sweep_config import EncoderEntry, Entry, SweepConfig, load_config, load_list
from jobs.config.words_entry import WordsEntry

__all__ = [
    "BuiltinSentences",
    "CatalogueEntry",
    "ClusterSettings",
    "EncoderEntry",
    "EndpointEntry",
    "Entry",
    "FileSentences",
    "FolderEntry",
    "HubEntry",
    "ListEntry",
    "MatrixEntry",
    "MtebScores",
    "Plain",
    "SweepConfig",
    "WordsEntry",
    "load_config",
    "load_list",
]
