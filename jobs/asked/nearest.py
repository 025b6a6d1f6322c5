"""`qre neighbours`: who is near whom on a finished map."""

from __future__ import annotations

import json

from jobs.asked.beside import print_neighbours, rows_with_scores, scores_of, told
from jobs.asked.opened import open_atlas
from jobs.terminal.console import console


def neighbours(name: str, atlas: str, k: int, as_json: bool) -> None:
    """The encoders nearest to one on a finished map, by the distance that the map is made of, with their scores."""
    standing = open_atlas(atlas)
    found = standing.neighbours(name, k)
    scores = scores_of(standing, [name, *found["neighbour"]])
    if as_json:
        rows = rows_with_scores(found, scores)
        print(
            json.dumps(
                {"name": name, "metric": standing.settings.metric, "scores": told(scores, name), "neighbours": rows}
            )
        )
        return
    shown = found.assign(**{"near-copy": ["yes" if copy else "" for copy in found["near_copy"]]})
    columns = {"rank": ".0f", "neighbour": "", "family": "", "near-copy": "", "distance": ".4f"}
    print_neighbours(
        f"nearest to {name} ({standing.settings.metric} distance of feature vectors, nats)",
        shown,
        columns,
        scores,
        itself=name,
    )
    if found["near_copy"].any():
        console.print("near-copy: it differs from the encoder by a transform only", highlight=False)
