"""The reducer: all feature rows -> the atlas in the store. One task; the driver holds no matrix."""

from __future__ import annotations

from datetime import datetime, timezone

import ray

from jobs.worker import set_threads, versions
from qre.atlas.build import atlas_identity, build_atlas
from qre.atlas.settings import AtlasSettings
from qre.features import FeatureMethod
from qre.store import CorruptArtefact, Store


@ray.remote(max_retries=0)
def reduce(*arguments, threads: int) -> bool:
    """write_atlas as a Ray task."""
    set_threads(threads)
    location, *rest = arguments
    return write_atlas(Store(location), *rest, threads=threads)


def write_atlas(
    store: Store, name: str, encoders: list[dict], folder: str, method: FeatureMethod, settings: AtlasSettings,
    fingerprint: str, failures: list[dict], attributes: list[dict], threads: int = 1,
) -> bool:  # fmt: skip
    """Build the atlas of the encoders (rows with key, name, family, parent, ...) and write it; the manifest comes last.

    `attributes` are what else is known of each encoder, in the same order; they change with time (downloads) and are not part of the identity.

    Returns:
        False where a feature row turned out absent or corrupt, so that the sweep makes it again; True when the atlas stands.
    """
    try:
        features = store.features.read(folder, [row["key"] for row in encoders])
    except (CorruptArtefact, KeyError):
        return False
    atlas = build_atlas(encoders, features, settings, threads, attributes)
    manifest = {
        "schema": 1,
        "name": name,
        "identity": atlas_identity(encoders, method, settings, fingerprint),
        "made": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "sentences": fingerprint,
        "features": method.model_dump(mode="json"),
        "atlas": settings.model_dump(mode="json"),
        "headline": atlas.headline,
        "notes": list(atlas.notes),
        "failures": failures,
        "versions": versions(),
    }
    store.atlases.write(name, atlas.files, manifest)
    return True
