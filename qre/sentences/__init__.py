"""Sentence sets: the ordered, distinct sentences that every encoder embeds."""

from qre.sentences.sentence_file import read_sentences
from qre.sentences.sentence_set import SentenceSet, builtin_set

__all__ = ["SentenceSet", "builtin_set", "read_sentences"]
