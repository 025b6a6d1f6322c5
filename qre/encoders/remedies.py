"""What a person can do about an encoder whose files keep it from being taken, by the reason."""

from __future__ import annotations

from qre.encoders.kinds import CROSS, MULTI, OTHER, SPARSE

NO_VECTOR = "and the map is of encoders that give one vector a text: leave it out"
REMEDY: dict[str, str] = {
    CROSS: f"it scores pairs of texts, {NO_VECTOR}",
    SPARSE: f"it weighs the words of a vocabulary, {NO_VECTOR}",
    MULTI: f"it gives a vector for each token, {NO_VECTOR}",
    OTHER: f"it is of another kind, {NO_VECTOR}",
    "adapter": "merge it into its base with merge_and_unload(), save the whole with SentenceTransformer.save(), and "
    "name that folder or repository",
    "base missing": "name the folder that holds its base: base: FOLDER in its entry",
    "remote code": "on the hub give trust_remote_code: true with a 40-digit revision for this one encoder, after "
    "reading its code; or, where transformers "
    "knows its model type, native: true for transformers' own class",
    "second repository": "after reading that code, give code_revision: {owner/name: its 40-digit commit} beside "
    "trust_remote_code: true; or, where "
    "transformers knows its model type, native: true for transformers' own class; anything but a class is not taken "
    "from elsewhere",
    "unknown module": "its authors must put the class into the repository, or save the encoder with modules that "
    "sentence-transformers ships",
    "not native": "native: true is for model types that transformers has a class of its own for; on the hub give "
    "trust_remote_code: true with a "
    "40-digit revision, after reading its code",
    "wrong code_revision": "give code_revision for repositories that its files name code of, and for no others",
    "pickle only": "pickled_weights: true converts the pickle, apart and without a network; of the hub, conversions: "
    "accept takes the safetensors that a pull request adds, if there is one; or ask its authors for safetensors",
    "unsafe pickle": "it is not loaded, whatever is consented to: ask its authors for safetensors",
    "no weights": "ask its authors for safetensors; weights of other back ends are not loaded",
    "not sentence-transformers": "save it once with SentenceTransformer.save() and name the folder",
    "no pooling": "give pooling: cls, mean, max, weightedmean or lasttoken in its entry, as its authors used it; in a "
    "query or a list give plain: {pooling: ...} for all that need it",
    "encoder-decoder": "of such models only T5's encoder is read; save its encoder alone with "
    "SentenceTransformer.save() and name the folder",
    "git lfs": "fetch the files themselves with `git lfs pull`",
    "broken weights": "fetch or copy the files again, or save the encoder again with SentenceTransformer.save()",
    "broken config": "fix the file, or save the encoder again with SentenceTransformer.save()",
}
