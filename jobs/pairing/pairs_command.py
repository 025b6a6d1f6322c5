"""`qre pairs` from a finished sweep to the files, the summary and the exit code."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from jobs import ending
from jobs.config import SweepConfig
from jobs.pairing.tiling import LeftOut, in_pairs, left_out, tiles
from jobs.planning.plan import Plan, make_plan, shown_rows
from jobs.planning.resolve import FEWEST
from jobs.planning.resolved import Resolved
from jobs.planning.shard_folders import method_folder
from jobs.planning.units import Unit
from jobs.records.exports import check_export, put
from jobs.terminal.console import console, note, progress, say
from jobs.terminal.spelled import qre_command
from jobs.workers.worker import versions
from qre.counted import counted
from qre.errors import PlaceError, UserError, place_error
from qre.store import Store

if TYPE_CHECKING:
    from jobs.pairing.tile_loop import TileLoop
    from qre.build.pair_files import PairFiles

SUMMARY = "pairs.json"
KEPT = "tiles that are done are kept; run the same command to continue"


@dataclass
class Pairs:
    """What `qre pairs` has found, and made.

    Attributes:
        units: the encoders that are in all pairs.
        left_out: the others.
        found, made: tiles that were in the store, and that this run has made.
    """

    units: list[Unit]
    left_out: list[LeftOut]
    found: int = 0
    made: int = 0
    result: PairFiles | None = None
    files: list[str] = field(default_factory=list)


def pairs_to_the_end(
    config: SweepConfig, path: Path, store: Store, resolved: Resolved, out: Path | None, block: int, as_json: bool
) -> int:
    """Compute all pairs, write the files and show what they say. Returns the exit code: 0; 1 where encoders were left
    out, or something failed; 128 + signal.

    Raises:
        UserError: there is no place for the files, or too few encoders are done.
    """
    folder, key = _folder(config, out), "--out" if out else "export"
    check_export(folder, store, config.name, key)
    _check_kept(folder, config.name, key)
    plan = make_plan(config, store, resolved)
    pairs = Pairs(list(in_pairs(plan)), left_out(plan, resolved))
    _check_enough(pairs, path)
    code = _run(config, store, plan, pairs, block, lambda: _check_enough(pairs, path))
    if pairs.result is not None:
        told = _summary(config, plan, pairs)
        files = {**pairs.result.files, SUMMARY: json.dumps(told, indent=1).encode()}
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            put(folder / name, content)
        if as_json:
            print(json.dumps({**told, "tiles": {"made": pairs.made, "found": pairs.found}, "out": str(folder)}))
        else:
            _print(told, pairs, folder)
    return code or int(bool(pairs.left_out))


def _folder(config: SweepConfig, out: Path | None) -> Path:
    if out is not None:
        return out
    if config.export is None:
        raise UserError("the config has no export: name a folder for the pairs with --out DIR")
    return Path(config.export) / "pairs"


def _check_kept(folder: Path, name: str, key: str) -> None:
    """UserError where the folder holds the pairs of another sweep."""
    try:
        kept = json.loads((folder / SUMMARY).read_bytes())["name"]
    except (FileNotFoundError, NotADirectoryError):
        return
    except (ValueError, KeyError, TypeError):
        kept = None
    if kept != name:
        whose = f"of the pairs of {kept!r}, and these are of {name!r}" if isinstance(kept, str) else "of something else"
        raise UserError(f"{key}: {folder / SUMMARY} is {whose}; name another folder, or remove it")


def _check_enough(pairs: Pairs, path: Path) -> None:
    if len(pairs.units) < FEWEST:
        why = f"; left out: {'; '.join(f'{one.encoder}: {one.why}' for one in pairs.left_out[:5])}"
        raise UserError(
            f"{counted(len(pairs.units), 'encoder')} of this sweep with embedding and features in the store, and the "
            f"pairs need at least {FEWEST}: {qre_command()} sweep {path} makes them{why if pairs.left_out else ''}"
        )


def _run(config: SweepConfig, store: Store, plan: Plan, pairs: Pairs, block: int, check: Callable[[], None]) -> int:
    """Make what lacks on the cluster, and put it together; returns the exit code of what stopped it, or 0."""
    from ray.exceptions import RayError

    from jobs.engine.connect import Interrupted, Stop, SweepError, cluster
    from jobs.pairing.tile_loop import TileLoop

    with cluster(config.cluster):
        ending.outlast_readers()
        stop = Stop(config.cluster.grace_seconds)
        loop = TileLoop(config, store, stop, progress)
        try:
            _rounds(config, store, plan, pairs, block, loop, check)
        except Interrupted as interrupted:
            ending.tell(f"qre: {interrupted}; {KEPT}")
            return 128 + interrupted.signal
        except KeyboardInterrupt:
            ending.tell(f"qre: ended at once; {KEPT}")
            return 128 + (ending.asked() or signal.SIGINT)
        except (SweepError, RayError, PlaceError, OSError) as error:
            ending.check()  # a signal to all processes of a job ends Ray's too
            ending.tell(f"qre: {place_error(error) or error}; {KEPT}")
            return 1
        finally:
            pairs.made = loop.done
            stop.restore()
    return 0


def _rounds(
    config: SweepConfig, store: Store, plan: Plan, pairs: Pairs, block: int, loop: TileLoop, check: Callable[[], None]
) -> None:
    """Tiles that lack, then the files; again without an encoder that turns out unusable, and where a tile turns out
    corrupt."""
    from jobs.engine.connect import SweepError
    from jobs.workers.pair_tile import PairsWanted

    folder = method_folder(config, plan.sentences.fingerprint)
    corrupt = 0
    while pairs.result is None:
        works = tiles(store, pairs.units, config.features, len(plan.sentences), block)
        there = store.pairs.keys()
        lacking = [work for work in works if work.key not in there]
        pairs.found = max(pairs.found, len(works) - len(lacking))
        progress(f"{counted(len(pairs.units), 'encoder')}: {len(works) - len(lacking)} of {len(works)} tiles are there")
        if unusable := loop.run(lacking):
            lost = {one.key for one in unusable}
            pairs.left_out += [LeftOut(one.name, one.why) for one in unusable]
            pairs.units = [unit for unit in pairs.units if unit.key not in lost]
            check()
            continue
        wanted = PairsWanted(shown_rows(pairs.units, config), folder, tuple(works), config.atlas)
        pairs.result = loop.together(wanted)
        corrupt += 1
        if pairs.result is None and corrupt > config.cluster.attempts:
            raise SweepError(f"tiles in {store.location}/pairs were damaged {corrupt} times; look at its disk")


def _summary(config: SweepConfig, plan: Plan, pairs: Pairs) -> dict:
    """Plain values: what pairs.json and --json tell."""
    assert pairs.result is not None  # it is only told when it is there
    return {
        "name": config.name,
        "sentences": plan.sentences.fingerprint,
        "count": len(plan.sentences),
        "encoders": [unit.spec.name for unit in pairs.units],
        "left_out": [asdict(one) for one in pairs.left_out],
        "method": config.features.model_dump(mode="json", exclude={"direction"}),
        "compared": pairs.result.agreement,
        "family": pairs.result.family,
        "closest": pairs.result.closest,
        "notes": list(pairs.result.notes),
        "files": sorted(pairs.result.files),
        "versions": versions(),
    }


def _print(told: dict, pairs: Pairs, folder: Path) -> None:
    from rich.markup import escape
    from rich.table import Table

    for line in told["notes"]:
        note(line)
    for one in pairs.left_out:
        say(f"left out: {one.encoder}: {one.why}")
    table = Table(title="closest pairs by (S(a‖b) + S(b‖a))/2, in nats", title_justify="left")
    for column in ("a", "b", "distance", "S(a‖b)", "S(b‖a)", "overlap", "CKA"):
        table.add_column(column, justify="left" if column in "ab" else "right", overflow="fold")
    for row in told["closest"]:
        cells = [f"{row[name]:.4g}" for name in ("distance", "qre_ab", "qre_ba", "overlap", "cka")]
        table.add_row(escape(row["a"]), escape(row["b"]), *cells)
    console.print(table)
    many, found, family = len(told["encoders"]), told["compared"], told["family"]
    say(
        f"{counted(many * (many - 1) // 2, 'pair')} of {many} encoders on {counted(told['count'], 'sentence')}; "
        f"{counted(pairs.made, 'tile')} made, {pairs.found} found"
    )
    say(
        f"against the first map's distances: Mantel r = {found['mantel']:.3f} (Spearman, p = {found['p_value']:.2g}, "
        f"{found['permutations']} permutations); {found['shared']:.0%} of the {found['neighbours']} nearest are the "
        f"same (chance {found['chance']:.0%})"
    )
    say(
        f"of the same family, near-copies left out: {family['share']:.0%} of the nearest here, "
        f"{family['share_first']:.0%} on the first map (chance {family['chance']:.0%})"
    )
    say(f"written to {folder}: {', '.join([*told['files'], SUMMARY])}")
