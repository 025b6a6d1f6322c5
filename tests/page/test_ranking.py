"""Ranks, ties, weights and near-copies in the table: the same as qre says."""

from urllib.parse import urlencode

import numpy as np
import pandas as pd
import pytest

from qre.atlas.differences import like_the_best
from tests.page.page_data import at_first, column, floats, fragment, names, page_data, task

MADE = {"encoders": 90, "tasks": 8, "attributes": 30, "seed": 3}


@pytest.fixture
def path(make_page):
    return make_page(**MADE)


def all_rows(page):
    """Rank, name and score of every row, as they are read."""
    return page.locator("#view-table tbody tr").evaluate_all(
        """rows => rows.map(row => [row.children[0].textContent, row.querySelector('th .link').textContent,
        row.children[3].textContent])"""
    )


def weighted(data, weights):
    """value, low, high (N,) of the weighted mean, its interval for independent tasks."""
    total = sum(weights.values())
    parts = {name: [floats(task(data, name)[part]) for part in ("value", "low", "high")] for name in weights}
    value = sum(weight * parts[name][0] for name, weight in weights.items()) / total
    below = np.sqrt(sum((w * (parts[name][0] - parts[name][1])) ** 2 for name, w in weights.items())) / total
    above = np.sqrt(sum((w * (parts[name][2] - parts[name][0])) ** 2 for name, w in weights.items())) / total
    return pd.DataFrame({"value": value, "low": value - below, "high": value + above})


@pytest.mark.parametrize("seed", range(12))
def test_ties_are_those_of_python(open_page, path, seed):
    """Random scores with equal values, missing values, missing and infinite ends of intervals."""
    page, rng = open_page(path).page, np.random.default_rng(seed)
    for count in (1, 2, 7, 60):
        value = np.round(rng.uniform(0.4, 0.6, count), int(rng.integers(1, 4)))
        low, high = value - rng.uniform(0, 0.1, count), value + rng.uniform(0, 0.1, count)
        value[rng.random(count) < 0.15] = np.nan
        low[rng.random(count) < 0.15] = np.nan
        high[rng.random(count) < 0.1] = np.inf
        cell = pd.DataFrame({"value": value, "low": low, "high": high})
        found = page.evaluate("scores => Ties.withBest(scores)", cell.to_dict("records"))
        assert found == like_the_best(cell).tolist()


def test_no_score_no_tie(open_page, path):
    page = open_page(path).page
    assert page.evaluate("Ties.withBest([])") == []
    nothing = {"value": float("nan"), "low": float("nan"), "high": float("nan")}
    assert page.evaluate("scores => Ties.withBest(scores)", [nothing, nothing]) == [False, False]


@pytest.mark.parametrize(
    "weights", [{"Task00": 1}, {"Task02": 1}, {"Task00": 1, "Task04": 1}, {"Task00": 3, "Task03": 0.5}]
)
def test_ranks_marks_and_order(open_page, path, weights):
    data = page_data(path)
    parts = "&".join(f"rank={name}" if weight == 1 else f"rank={weight}*{name}" for name, weight in weights.items())
    page = open_page(path, fragment=f"view=table&{parts}").page
    expected = weighted(data, weights).assign(name=data["name"])
    expected["tied"] = like_the_best(expected)
    expected["tied"] &= expected["tied"].sum() > 1  # the best alone is tied with nobody
    expected["rank"] = [1 + int((expected["value"] > value).sum()) for value in expected["value"]]
    lower = [name.lower() for name in data["name"]]
    order = expected.assign(value=expected["value"].round(9), lower=lower).sort_values(
        ["value", "lower"], ascending=[False, True], na_position="last"
    )
    rows = all_rows(page)
    assert [name for _, name, _ in rows] == order["name"].to_list()
    for (rank, name, score), (_, own) in zip(rows, order.iterrows(), strict=True):
        if np.isnan(own["value"]):
            missing = [one for one in weights if task(data, one)["value"][data["name"].index(name)] is None]
            assert (rank, score) == ("–", f"no score on {', '.join(missing)}")
            continue
        assert rank == f"{own['rank']}" + (" ≈ tied with the best" if own["tied"] else "")
        told = [float(part) for part in score.replace("[", " ").replace("]", " ").replace(",", " ").split()[:-1]]
        known = own[["value", "low", "high"]] if np.isfinite(own["high"] - own["low"]) else own[["value"]]
        assert told == pytest.approx(known.to_list(), abs=6e-4)


def test_what_a_score_is_shows_in_words_and_in_shape(open_page, path):
    data = page_data(path)
    page = open_page(path, fragment="view=table&rank=Task00").page
    basis = dict(zip(data["name"], task(data, "Task00")["basis"], strict=True))
    for row in page.locator("#view-table tbody tr").all()[:60]:
        code = basis[row.locator("th .link").inner_text()]
        if code < 0:
            continue
        cell = row.locator("td").nth(2)
        assert cell.inner_text().endswith(("measured", "imported", "predicted")[code])
        assert cell.locator("circle").count() == (code != 2) and cell.locator("path").count() == (code == 2)
        known = task(data, "Task00")["low"][data["name"].index(row.locator("th .link").inner_text())] is not None
        assert cell.locator("line[stroke-dasharray]").count() == (known and code == 2)
        assert cell.locator("line").count() == 3 * known
    fills = {
        kind: page.locator(f".marks .{kind} :is(circle, path)").evaluate("node => getComputedStyle(node).fill")
        for kind in ("measured", "imported", "predicted")
    }
    assert fills["imported"] == fills["predicted"] != fills["measured"]


def test_ranking_by_keyboard_and_by_kind(open_page, path):
    data = page_data(path)
    page = open_page(path, fragment="view=table").page
    select = page.locator("#view-table .rank-by")
    assert select.locator("option:checked").inner_text() == "the usual score"
    select.select_option(label="Task03")
    assert fragment(page)["rank"] == ["Task03"]
    kinds = [one["id"] for one in data["tasks"] if one["kind"] == "retrieval"]
    select.select_option(label=f"all retrieval ({len(kinds)})")
    assert fragment(page)["rank"] == kinds
    page.locator("#view-table summary", has_text="Tasks and weights").press("Enter")
    tasks = page.get_by_role("group", name="Tasks to rank by")
    tasks.get_by_role("checkbox", name="Task00").press("Space")
    assert fragment(page)["rank"] == [*kinds, "Task00"]
    assert select.locator("option:checked").inner_text() == "tasks chosen below"
    weight = tasks.get_by_label("Weight of Task00")
    weight.fill("2.5")
    weight.press("Enter")
    assert fragment(page)["rank"] == [*kinds, "2.5*Task00"]
    value = weighted(data, {**dict.fromkeys(kinds, 1), "Task00": 2.5})["value"]
    assert names(page)[0] == data["name"][int(value.idxmax())]
    for bad in ("0", "-1", "much", "1e9"):
        weight.fill(bad)
        weight.press("Enter")
        assert weight.get_attribute("aria-invalid") == "true"
        assert "a number above 0" in tasks.locator(".weighs", has=page.get_by_label("Weight of Task00")).inner_text()
        assert fragment(page)["rank"] == [*kinds, "2.5*Task00"]
    select.select_option(label="the usual score")
    assert "rank" not in fragment(page) and "Ranked by Task00." in page.locator("#table-notes").inner_text()


def test_the_page_says_by_which_test_and_what_intervals_mean(open_page, path):
    data = page_data(path)
    page = open_page(path, fragment="view=table&rank=Task00").page
    notes = page.locator("#table-notes")
    tied = int(like_the_best(weighted(data, {"Task00": 1})).sum())
    lacking = task(data, "Task00")["value"].count(None)
    assert f"{tied} encoders of these cannot be told from the best (≈)" in notes.inner_text()
    assert f"{lacking} encoders without all of these scores come last" in notes.inner_text()
    notes.locator("summary").press("Enter")
    for said in ("MOVER (Zou and Donner 2008)", "95 % where measured", "90 % where predicted", "are predictions"):
        assert said in notes.inner_text()


def test_ties_are_among_those_that_are_shown(open_page, path):
    data = page_data(path)
    family = column(data, "family")
    page = open_page(path, fragment=f"view=table&rank=Task00&f.family={family['levels'][0]}").page
    own = np.array(family["values"]) == 0
    cell = weighted(data, {"Task00": 1})[own].reset_index(drop=True)
    tied = [name for name, close in zip(np.array(data["name"])[own], like_the_best(cell), strict=True) if close]
    rows = all_rows(page)
    assert len(rows) == own.sum()
    assert {name for rank, name, _ in rows if "≈" in rank} == (set(tied) if len(tied) > 1 else set())
    assert rows[0][0].startswith("1")


def test_the_best_alone_has_no_mark_of_a_tie(open_page, path):
    data = page_data(path)
    known = np.isfinite(floats(task(data, "Task00")["low"]))
    alone = [name for name in data["name"] if sum(name.lower() in other.lower() for other in data["name"]) == 1]
    name = next(name for name in alone if known[data["name"].index(name)])
    page = open_page(path, fragment="view=table&rank=Task00&" + urlencode({"find": name})).page
    assert [(rank, name) for rank, name, _ in all_rows(page)] == [("1", name)]
    assert "No other of these is tied with the best" in page.locator("#table-notes").inner_text()


def test_a_map_without_tasks_has_no_ranks(open_page, make_page):
    page = open_page(make_page(encoders=60, tasks=0), fragment="view=table").page
    assert "no scores" in page.locator("#table-notes").inner_text()
    assert page.locator("#view-table th", has_text="Rank").count() == 0


def test_near_copies_fold_into_the_best_of_them(open_page, path):
    data = page_data(path)
    page = open_page(path, fragment="view=table&rank=Task00").page
    assert len(set(data["same"])) < len(data["same"])
    page.get_by_label("Fold near-copies").press("Space")
    value = weighted(data, {"Task00": 1})["value"].fillna(-1)
    groups = pd.Series(value.to_numpy()).groupby(data["same"])
    best = {data["same"][i]: groups.get_group(data["same"][i]).max() for i in range(len(value))}
    assert len(names(page)) == len(best)
    for name in names(page):
        i = data["name"].index(name)
        assert value[i] == best[data["same"][i]]
        copies = data["same"].count(data["same"][i]) - 1
        cell = page.locator("#view-table tbody th", has=page.get_by_role("button", name=name, exact=True)).inner_text()
        said = "" if not copies else "and 1 near-copy" if copies == 1 else f"and {copies} near-copies"
        assert cell.removeprefix(name).strip() == said
    assert "near-copies folded" in page.locator("#view-table caption").inner_text()
    ranks = [rank.split()[0] for rank, _, score in all_rows(page) if not score.startswith("no score")]
    assert ranks[0] == "1" and len(ranks) >= int(ranks[-1])
    assert fragment(page)["fold"] == ["yes"]


def test_hostile_tasks_rank_as_any_other(open_page, make_page):
    path = make_page(encoders=60, tasks=22, hostile=True)
    data = page_data(path)
    page = open_page(path, fragment="view=table").page
    for name in [one["id"] for one in data["tasks"]][:19]:
        page.locator("#view-table .rank-by").select_option(value=f"task:{name}")
        assert list(page.evaluate("Object.keys(State.now.rank)")) == [name]
        best = data["name"][int(np.nanargmax(floats(task(data, name)["value"])))]
        rows = all_rows(page)
        assert best in [row[1] for row in rows if row[0].split()[0] == "1"]
        page.reload()
        page.locator("html[data-ready=yes]").wait_for(state="attached")
        assert all_rows(page) == rows, "the address says the same"


def test_a_task_that_looks_like_a_weight(open_page, path):
    page = open_page(path).page
    page.evaluate("State.set({ rank: { '2*odd': 1, '3*x': 4, plain: 1 } })")
    assert page.evaluate("State.now.rank") == {"2*odd": 1, "3*x": 4, "plain": 1}
    page.reload()
    page.locator("html[data-ready=yes]").wait_for(state="attached")
    assert page.evaluate("({ ...State.now.rank })") == {"2*odd": 1, "3*x": 4, "plain": 1}


def test_a_link_that_ranks_by_what_is_not_here(open_page, path):
    page = open_page(path, fragment="view=table&rank=Gone&rank=0*Task00&sort=rank").page
    assert "not a task here: Gone" in page.locator("#view-table .rank").inner_text()
    assert names(page) == at_first(page_data(path))


def test_tab_goes_on_from_a_weight_that_was_changed(open_page, path):
    page = open_page(path, fragment="view=table&rank=Task00&rank=Task01").page
    page.locator("#view-table summary", has_text="Tasks and weights").press("Enter")
    weight = page.get_by_label("Weight of Task00")
    weight.fill("3")
    weight.press("Tab")
    assert fragment(page)["rank"] == ["3*Task00", "Task01"]
    box = page.get_by_role("group", name="Tasks to rank by").get_by_role("checkbox", name="Task01")
    assert box.evaluate("node => node === document.activeElement")
    assert "weighted mean over 2 tasks (Task00 × 3, Task01)" in page.locator("#table-notes").inner_text()


def test_what_opens_closes_with_escape_and_by_a_click_elsewhere(open_page, path):
    page = open_page(path, fragment="view=table&rank=Task00").page
    summary = page.locator("#view-table summary", has_text="Tasks and weights")
    tasks = page.get_by_role("group", name="Tasks to rank by")
    summary.press("Enter")
    tasks.get_by_role("checkbox", name="Task03").press("Escape")
    assert tasks.count() == 0 and summary.evaluate("node => node === document.activeElement")
    summary.press("Enter")
    assert tasks.count() == 1
    page.locator("#title").click()
    assert tasks.count() == 0
    assert fragment(page)["rank"] == ["Task00"]


def test_what_opens_stays_in_its_view(open_page, path):
    page = open_page(path, fragment="view=table&rank=Task00", size=(1000, 700)).page
    for title in ("Tasks and weights", "Columns"):
        page.locator("#view-table summary", has_text=title).press("Enter")
        view, box = (page.locator(where).bounding_box() for where in ("#view-table", ".drop[open] > div"))
        assert view["x"] <= box["x"] and box["x"] + box["width"] <= view["x"] + view["width"]
        page.keyboard.press("Escape")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_with_everything_open_it_is_accessible(open_page, path, scheme):
    visit = open_page(
        path, fragment="view=table&rank=Task00&rank=2*Task01&fold=yes&f.dimension=x", colour_scheme=scheme
    )
    page = visit.page
    for summary in page.locator("#filters summary:visible, #table-notes summary").all():
        if not summary.evaluate("node => node.parentElement.open"):
            summary.press("Enter")
    page.locator("#view-table tbody .link").first.press("Enter")
    page.locator("#view-table summary", has_text="Tasks and weights").press("Enter")
    page.get_by_label("Weight of Task01").fill("none")
    page.get_by_label("Weight of Task01").press("Enter")
    assert not visit.violations()
