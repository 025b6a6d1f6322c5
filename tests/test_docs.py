"""The documents against the code: every key of a config is explained, and every link leads somewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

from jobs.config import slots
from jobs.config import sweep_config as config
from jobs.config.on_end import OnEnd
from qre.encoders import variants
from qre.encoders.hub_query import HubQuery
from qre.encoders.spec import ClassicalSpec
from qre.prediction.data import PredictionSettings
from qre.tasks import task_spec as spec

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("cluster/*.md"), *ROOT.glob("results/*.md")])
RECORDS = {
    "config.md": (
        config.SweepConfig,
        config.BuiltinSentences,
        config.FileSentences,
        config.CatalogueEntry,
        config.FolderEntry,
        config.HubEntry,
        config.ListEntry,
        config.WordsEntry,
        HubQuery,
        ClassicalSpec,
        config.FeatureMethod,
        config.EncodeSettings,
        config.AtlasSettings,
        PredictionSettings,
        slots.ClusterSettings,
        slots.Slot,
        OnEnd,
        variants.Variant,
        variants.Sparsify,
    ),
    "scores.md": (
        config.MtebScores,
        spec.BuiltinTasks,
        spec.STSFile,
        spec.PairsFile,
        spec.ClassificationFile,
        spec.ClusteringFile,
        spec.RetrievalFile,
        spec.WordSimilarityFile,
        spec.WordPairsFile,
        spec.AnalogiesFile,
    ),
}


@pytest.mark.parametrize(
    ("page", "record"),
    [(page, record) for page, records in RECORDS.items() for record in records],
    ids=lambda one: getattr(one, "__name__", one),
)
def test_every_key_is_explained(page: str, record: type[BaseModel]):
    text = (ROOT / "docs" / page).read_text()
    assert [key for key in record.model_fields if not re.search(rf"\b{key}\b", text)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda one: one.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path):
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text())
    gone = [
        link for link in links if not link.startswith(("http://", "https://")) and not (page.parent / link).exists()
    ]
    assert gone == []


def test_the_page_of_the_commands_is_that_of_the_command():
    """`make docs` writes it."""
    command = [sys.executable, "-m", "typer", "jobs.commands", "utils", "docs", "--name", "qre"]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert made.strip() == (ROOT / "docs/commands.md").read_text().strip(), "run `make docs`"
