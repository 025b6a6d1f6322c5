"""Encoders named on a command line: a hub id, a folder, a ready matrix, or entries in a file; each becomes an embedding
in this process."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import ValidationError

from jobs.asked.measure import encoded, measure
from jobs.config import CatalogueEntry, EndpointEntry, FolderEntry, HubEntry, MatrixEntry, WordsEntry, load_list
from jobs.config.corpora import ClassicalEntry, FittedEntry
from jobs.config.matrix_entry import GivenEntry
from jobs.config.mistakes import as_options
from jobs.config.reading import YAML_ENDINGS
from jobs.planning.fit_corpora import Corpora
from jobs.planning.paid import key_of
from jobs.planning.ready import read_entry
from jobs.planning.ready_words import read_words
from jobs.planning.variant_pairs import with_pairs
from jobs.terminal.console import progress
from qre.density import check_finite
from qre.encoders.catalogue import PUBLIC, chosen
from qre.encoders.classical import check_dimensions
from qre.encoders.conversions import find_conversions
from qre.encoders.fitted import FittedTransforms
from qre.encoders.hub import REPOSITORY, resolve_all, with_base
from qre.encoders.hub_problems import HubProblem, printable
from qre.encoders.matrix import ReadyVectors, VectorsInFiles
from qre.encoders.matrix_file import ENDINGS, is_matrix, near_encoders, read_matrix
from qre.encoders.passes import EncodeSettings, Pass, readout_name
from qre.encoders.spec import EncoderSpec
from qre.encoders.transforms import check_numbers, fit_and_apply, fit_transforms
from qre.encoders.word_vectors import ReadyWords, WordsInFile
from qre.errors import EncoderError, UserError
from qre.paths import below, given_path
from qre.sentences import SentenceSet
from qre.sparsify.corpus import Pairs
from qre.sparsify.prepared import Prepared
from qre.tasks.task import Task

STAND_INS = ("MODEL", "MODEL...", "NAME", "FOLDER", "ENCODER", "owner/name", "OWNER/NAME")  # of our own help
TEXTS = (".csv", ".tsv", ".txt", ".jsonl", ".json", ".md")
Measured = tuple[pd.DataFrame, list[str]]  # scores, and why there is none on some tasks
Kept = Callable[[EncoderSpec], FittedTransforms | None]
Told = Callable[[str, int, int], None]  # name, sentences embedded so far, of how many


@dataclass(frozen=True)
class Given:
    """An encoder as a person named it.

    Attributes:
        label: for people, before more is known of it.
        source: a file with a matrix, or an entry as in a config.
        pairs: that a sparsified encoder names by a file.
        corpus: that its transforms are fitted on.
        by_options: what is said of it are options of the command line, not an entry in a file.
    """

    label: str
    source: Path | EndpointEntry | FolderEntry | HubEntry | MatrixEntry | WordsEntry | EncoderSpec
    pairs: Pairs | None = field(default=None, repr=False)
    corpus: SentenceSet | None = field(default=None, repr=False)
    by_options: bool = False

    def embedding(
        self,
        sentences: Sequence[str],
        settings: EncodeSettings,
        device: str,
        told: Told,
        tasks: Sequence[Task] = (),
        kept: Kept = lambda spec: None,
    ) -> tuple[str, np.ndarray, Measured | None]:
        """The encoder's name, E (n, d) of the sentences (of a file, as it stands there), and its scores on the tasks;
        None where none was measured.

        Args:
            sentences: of the map; not needed for a file.
            device: of torch; "auto" for the GPU where there is one.
            told: told how far it is.
            kept: the fit of an encoder's transforms where one is known already.

        Raises:
            UserError: what was named is not there, or is nothing to embed.
            EncoderError: the encoder's own fault, such as NaN; HubProblem where the hub does not give it.
        """
        if isinstance(self.source, Path):
            return self.label, read_matrix(self.source), None
        if isinstance(self.source, MatrixEntry):
            return self.label, *_ready(self.source, sentences, settings, told, tasks)
        if isinstance(self.source, WordsEntry):
            words, file, _ = read_words(self.source, self.source.path, sentences)
            return self.label, *embed_and_measure(words, sentences, settings, "cpu", told, tasks, WordsInFile(file))
        spec = spec_of(self.source)
        embedded = embed_and_measure(
            spec, sentences, settings, device, told, tasks, pairs=self.pairs, corpus=self.corpus, fitted=kept(spec)
        )
        return spec.name, *embedded


def given(models: Sequence[str], options: dict, trust_remote_code: bool) -> list[Given]:
    """What the words of a command line name.

    Args:
        options: keys of a config's entry for each that is to be embedded: layer, pooling, prompt, ...; None where not
            given.
        trust_remote_code: of encoders of the hub.

    Raises:
        UserError: a word is neither a file, a folder nor a hub id, or the options do not go together.
    """
    options = {name: value for name, value in options.items() if value not in (None, False)}
    models = given_path(list(models))
    stems = [Path(model).stem for model in models if is_matrix(model)]
    found = []
    for model in models:
        if is_matrix(model):
            label = Path(model).stem if stems.count(Path(model).stem) == 1 else model
            found.append(Given(printable(label, 200), Path(model)))
        else:
            found.append(Given(printable(model, 200), _entry(model, options, trust_remote_code), by_options=True))
    if options and all(isinstance(one.source, Path) for one in found):
        raise UserError(
            f"--{next(iter(options)).replace('_', '-')}: is for an encoder that is to be embedded, and only ready "
            f"matrices are named"
        )
    return found


def given_in(path: Path) -> list[Given]:
    """The encoders of a list file, .yaml or .csv, as a config's `source: list` takes it; UserError where it is none, or
    holds a query."""
    found: list[Given] = []
    corpora = Corpora()
    for entry in load_list(path):
        if isinstance(entry, CatalogueEntry) and entry.name == PUBLIC:
            raise UserError(
                f"{path}: name the encoders one by one; `qre encoders search --registry --out` writes the catalogue "
                f"public"
            )
        if isinstance(entry, CatalogueEntry):
            try:
                found += [Given(spec.name, spec) for spec in chosen(entry.name, entry.include)[0]]
            except ValueError as error:
                raise UserError(f"{path}: include: {error}") from None
        elif isinstance(entry, HubEntry) and entry.query is not None:
            raise UserError(
                f"{path}: name the encoders one by one; `qre encoders search --out` writes what a query finds"
            )
        else:
            here = os.path.dirname(os.path.abspath(path))
            if isinstance(entry, FolderEntry):
                entry = entry.model_copy(update={key: below(here, path) for key, path in entry.folders().items()})
            elif isinstance(entry, GivenEntry):
                entry = entry.model_copy(update={key: below(here, file) for key, file in entry.files().items()})
            if isinstance(entry, EndpointEntry):
                name = entry.spec().name
            else:
                name = entry.spec_names()[0] if isinstance(entry, GivenEntry) else entry.name or _place(entry)
            known, pairs = with_pairs(f"{path}: {name}", corpora.known(f"{path}: {name}", entry, here), here)
            corpus = corpora.sets.get(known.corpus_read or "") if isinstance(known, FittedEntry) else None
            found.append(Given(printable(name, 200), known, pairs, corpus))
    return found


def _ready(
    entry: MatrixEntry, sentences: Sequence[str], settings: EncodeSettings, told: Told, tasks: Sequence[Task]
) -> tuple[np.ndarray, Measured | None]:
    """As embed_and_measure, of ready vectors."""
    found, _, _ = read_entry(entry, entry.path, entry.texts, sentences, {})
    ready = VectorsInFiles(entry.path, entry.texts)
    measured = tasks if entry.texts is not None else ()
    return embed_and_measure(found.spec, sentences, settings, "cpu", told, measured, ready)


def _place(entry: FolderEntry | HubEntry | ClassicalEntry) -> str:
    if isinstance(entry, FolderEntry):
        return entry.path
    return _id(entry) if isinstance(entry, HubEntry) else entry.name


def _id(entry: HubEntry) -> str:
    assert entry.id is not None  # queries are refused before
    return entry.id


def _no_encoder(word: str) -> str:
    """What a word names that is surely no encoder; "" where it may be one."""
    if word in STAND_INS:
        return "stands for a hub id (owner/name) or a folder; name yours"
    suffix, shown = Path(word).suffix.lower(), printable(word)
    if suffix in YAML_ENDINGS:
        return f"not an encoder; a list of encoders is given with --entry {shown}, a config with --atlas {shown}"
    if suffix in TEXTS:
        entry = f"; a list of encoders is given with --entry {shown}" if suffix == ".csv" else ""
        return f"a file of texts, not an encoder; name a hub id, a folder or a matrix ({', '.join(ENDINGS)}){entry}"
    if Path(word).is_file():
        return f"a file, not an encoder; name its folder, or a matrix ({', '.join(ENDINGS)})"
    return ""


def _entry(model: str, options: dict, trust_remote_code: bool) -> FolderEntry | HubEntry:
    place, _, revision = model.partition("@")
    if not Path(model).is_dir() and (why := _no_encoder(model)):
        raise UserError(f"{printable(model)}: {why}")
    try:
        if Path(model).is_dir():
            return FolderEntry.model_validate({"source": "folder", "path": model, **options})
        if REPOSITORY.fullmatch(place):
            values = {
                "source": "hub",
                "id": place,
                "revision": revision or None,
                "trust_remote_code": trust_remote_code,
                **options,
            }
            return HubEntry.model_validate(values)
    except ValidationError as error:
        raise UserError(as_options(error, FolderEntry, printable(model))) from None
    raise UserError(
        f"{printable(model)}: no such folder, no matrix ({', '.join(ENDINGS)}), and not owner/name of the "
        f"hub{near_encoders(model)}"
    )


def spec_of(entry: ClassicalEntry | EndpointEntry | FolderEntry | HubEntry | EncoderSpec) -> EncoderSpec:
    """The spec of one encoder, resolved as a sweep does it: a folder by its content, an encoder of the hub at its
    commit.

    Raises:
        UserError: no folder there, or no prompt of that name.
        EncoderError: the folder cannot be used safely; HubProblem, with the reason and what to do.
    """
    if isinstance(entry, EndpointEntry | ClassicalEntry):
        return entry.spec()
    if not isinstance(entry, FolderEntry | HubEntry):
        return entry
    if isinstance(entry, FolderEntry):
        return entry.spec_in()
    model = resolve_all([(_id(entry), entry.revision)])[0]
    if isinstance(model, HubProblem):
        raise model
    conversion = find_conversions([model])[0] if model.pickles and entry.may_convert else None
    return entry.spec_of(with_base(model, entry.native), model.repository, conversion)


def embed(spec: EncoderSpec, sentences: Sequence[str], settings: EncodeSettings, device: str, told: Told) -> np.ndarray:
    """E of the sentences by one encoder, with its transforms, (n, d) float32: what a sweep with these settings would
    store.

    Raises:
        EncoderError: it has no such layer, or gives NaN, or more dimensions than the sentences give. What else loading
            and running raises is left as it is.
    """
    return embed_and_measure(spec, sentences, settings, device, told, ())[0]


def embed_and_measure(
    spec: EncoderSpec,
    sentences: Sequence[str],
    settings: EncodeSettings,
    device: str,
    told: Told,
    tasks: Sequence[Task],
    ready: ReadyVectors | ReadyWords | None = None,
    pairs: Pairs | None = None,
    corpus: SentenceSet | None = None,
    fitted: FittedTransforms | None = None,
) -> tuple[np.ndarray, Measured | None]:
    """`embed`, and the scores on tasks while the encoder is loaded: see measure.measure; None without tasks.

    Args:
        corpus: that the transforms are fitted on; None: the sentences.
        fitted: the transforms, where they are fitted already.
    """
    told(spec.name, 0, len(sentences))
    prepared, key = Prepared({} if pairs is None else {pairs.fingerprint: pairs}), key_of(spec)
    loaded = Pass(spec, sentences, [spec.readout], settings, device, ready=ready, key=key, prepare=prepared)
    try:
        readout = readout_name(spec.readout)
        if readout in loaded.refused:
            raise EncoderError(loaded.refused[readout])
        matrix = encoded(loaded, readout, len(sentences), lambda done: told(spec.name, done, len(sentences)))
        check_dimensions(spec, matrix.shape[1])
        check_finite(matrix)
        if fitted is None and corpus is not None:
            of_corpus = encoded(loaded.over(corpus.texts), readout, len(corpus))
            check_finite(of_corpus)
            fitted = fit_transforms(of_corpus, spec.transforms)
        if fitted is None:
            fitted, embedding = fit_and_apply(matrix, spec.transforms)
        else:
            embedding = fitted.apply(matrix)
            check_numbers(embedding, ", ".join(spec.transforms))
        embedding = np.ascontiguousarray(embedding)
        if not tasks:
            return embedding, None
        shown = printable(spec.name)
        return embedding, measure(tasks, spec, loaded, fitted, lambda task: progress(f"{shown}: {printable(task)}"))
    finally:
        loaded.close()
