"""Prediction of scores: exactness against scikit-learn and literal refits, no leakage, coverage, and the fitted
predictor."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load, save
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.linear_model import ElasticNet
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from qre.errors import UserError
from qre.prediction import MEAN, PredictionData, PredictionSettings, Predictor, evaluate, fit, paper
from qre.prediction.conformal import conformal_p_values, conformal_quantile, fewest_groups, interval, most_coverage
from qre.prediction.data import score_ranges
from qre.prediction.distances import profile_terms, squared_distances
from qre.prediction.folds import blocks, coarser, grouped_folds, members
from qre.prediction.kernels import MEAN_VARIANCE, kernel, leave_group_out
from qre.prediction.metrics import measure
from qre.prediction.paper import COMPONENTS, PENALTIES, RATIOS, PaperProtocol
from qre.prediction.runs import PREDICTORS

SETTINGS = PredictionSettings(folds=4, inner_folds=3, repeats=2, permutations=20)


def made(
    seed: int = 0, groups: int = 24, size: int = 4, told: bool = True, spread: float = 0.05, kinds: int = 0
) -> PredictionData:
    """Encoders at points of a plane, groups of near-copies around centres; features, sketches and (where `told`) scores
    are smooth in the point. With `kinds`, groups are around the centres of so many kinds; else each is of its own
    kind."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(-1, 1, (groups, 2))
    origins = np.arange(groups) % kinds if kinds else np.arange(groups)
    if kinds:
        centres = rng.uniform(-1, 1, (kinds, 2))[origins] + 0.1 * centres
    place = np.repeat(centres, size, axis=0) + spread * rng.standard_normal((groups * size, 2))
    count, waves = len(place), rng.standard_normal((2, 40))

    def field(shift: float) -> np.ndarray:
        return 3 + np.sin(place @ waves + shift * np.arange(40)) + 0.02 * rng.standard_normal((count, 40))

    if told:
        scores = np.stack(
            [np.sin(2 * place[:, 0]) + place[:, 1], place[:, 0] * place[:, 1]], axis=1
        ) + 0.05 * rng.standard_normal((count, 2))
    else:
        # a group's own, told by nothing but its place
        scores = np.repeat(rng.standard_normal((groups, 2)), size, axis=0)
    sketches = field(0.3) - 3
    return PredictionData(
        features={"clip": field(0.0), "mix": field(0.7)},
        scores=scores,
        tasks=("first", "second"),
        groups=np.repeat([f"g{i}" for i in range(groups)], size),
        kinds=np.repeat(origins, size),
        ranges=score_ranges(["own"] * 2, scores),
        encoders=tuple(f"e{i}" for i in range(count)),
        dimension=rng.choice([128.0, 256.0, np.nan], count),
        parameters=np.full(count, np.nan),
        spectra=np.sort(rng.dirichlet(np.ones(12), count), axis=1)[:, ::-1],
        sketches=sketches / np.linalg.norm(sketches, axis=1, keepdims=True),
    )


def changed(data: PredictionData, **fields) -> PredictionData:
    return PredictionData(**{**data.__dict__, **fields})


def part(data: PredictionData, rows, columns=(0, 1)) -> PredictionData:
    """The encoders and tasks of these numbers."""
    tables = {
        name: getattr(data, name)[rows]
        for name in ("groups", "kinds", "dimension", "parameters", "spectra", "sketches")
    }
    return PredictionData(
        features={name: matrix[rows] for name, matrix in data.features.items()},
        scores=data.scores[rows][:, list(columns)],
        tasks=tuple(data.tasks[c] for c in columns),
        ranges=data.ranges[list(columns)],
        encoders=tuple(np.array(data.encoders)[rows]),
        **tables,
    )


@pytest.fixture(scope="module")
def report():
    return evaluate(made(), SETTINGS)


def value(report, predictor, scheme="grouped", metric="spearman", task=MEAN) -> float:
    table = report.metrics.set_index(["predictor", "scheme", "metric", "task"])["value"]
    return table[predictor, scheme, metric, task]


def test_folds_keep_groups_whole_and_take_every_row_once():
    groups = np.repeat(np.arange(17), np.random.default_rng(0).integers(1, 9, 17))
    folds = list(grouped_folds(groups, 4, seed=3))
    assert np.array_equal(np.sort(np.concatenate([test for _, test in folds])), np.arange(len(groups)))
    for train, test in folds:
        assert not set(groups[train]) & set(groups[test])
        assert len(train) + len(test) == len(groups)
    again, other = list(grouped_folds(groups, 4, seed=3)), list(grouped_folds(groups, 4, seed=4))
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(folds, again, strict=True))
    assert not all(np.array_equal(a, b) for (_, a), (_, b) in zip(folds, other, strict=True))
    with pytest.raises(ValueError, match="17 groups cannot make 18 folds"):
        next(grouped_folds(groups, 18, seed=0))


def test_blocks_are_of_tasks_known_for_the_same_encoders():
    scores = np.array([[1, 1, np.nan], [2, 2, 1], [3, 3, 2.0]])
    found = {tuple(block.columns): tuple(block.rows) for block in blocks(scores)}
    assert found == {(0, 1): (0, 1, 2), (2,): (1, 2)}


def test_paper_protocol_is_that_of_scikit_learn(monkeypatch):
    monkeypatch.setattr(paper, "PENALTIES", PENALTIES[1::3])
    monkeypatch.setattr(paper, "RATIOS", RATIOS[::2])
    rng = np.random.default_rng(1)
    features = rng.standard_normal((100, 8)) @ rng.standard_normal((8, 70)) * rng.uniform(
        0.1, 9, 70
    ) + 0.1 * rng.standard_normal((100, 70))
    features[:, 5] = 2.5  # a sentence that says the same of all encoders
    y = np.stack([features[:, 0] - features[:, 1], rng.standard_normal(100)], axis=1)
    groups = np.repeat(np.arange(25), 4)
    train, test = next(grouped_folds(groups, 5, seed=0))
    predicted, _, chosen = PaperProtocol(features, inner_folds=3, seed=7).predict(train, test, y[train], groups[train])
    steps = [
        ("scale", StandardScaler()),
        ("pca", PCA(svd_solver="full")),
        ("net", ElasticNet(tol=1e-12, max_iter=100_000)),
    ]
    model = TransformedTargetRegressor(Pipeline(steps), transformer=StandardScaler())
    grid = {
        "regressor__pca__n_components": COMPONENTS,
        "regressor__net__alpha": paper.PENALTIES,
        "regressor__net__l1_ratio": paper.RATIOS,
    }
    inner = list(grouped_folds(groups[train], 3, seed=7))
    for task in range(2):
        search = GridSearchCV(model, grid, scoring="neg_mean_squared_error", cv=inner)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of duality gaps that are rounding
            search.fit(features[train], y[train, task])
        own = chosen[task]
        same = {
            "regressor__pca__n_components": own["components"],
            "regressor__net__alpha": own["penalty"],
            "regressor__net__l1_ratio": own["ratio"],
        }
        # components without weight leave ties, so that the best score is compared and not its settings
        losses = search.cv_results_["mean_test_score"]
        assert losses[search.cv_results_["params"].index(same)] == pytest.approx(losses.max(), rel=1e-9)
        assert np.allclose(predicted[:, task], search.predict(features[test]), rtol=1e-8, atol=1e-8)


def test_leave_group_out_is_a_refit_without_the_group():
    rng = np.random.default_rng(2)
    groups = rng.integers(0, 9, 30)
    matrix = np.exp(-squared_distances(rng.standard_normal((30, 3)))) + MEAN_VARIANCE
    y = rng.standard_normal((30, 2))
    predictions, variances = leave_group_out(np.linalg.eigh(matrix), y, members(groups), 0.1)
    for group in np.unique(groups):
        out, rest = groups == group, groups != group
        solved = np.linalg.solve(
            matrix[np.ix_(rest, rest)] + 0.1 * np.eye(rest.sum()), np.column_stack([y[rest], matrix[np.ix_(rest, out)]])
        )
        assert np.allclose(predictions[out], matrix[np.ix_(out, rest)] @ solved[:, :2], atol=1e-8)
        expected = (
            matrix[np.ix_(out, out)].diagonal() + 0.1 - np.einsum("ij,ji->i", matrix[np.ix_(out, rest)], solved[:, 2:])
        )
        assert np.allclose(variances[out], expected, atol=1e-8)


def test_distances_of_profiles_and_levels():
    rng = np.random.default_rng(3)
    first, second = rng.uniform(1, 2, (6, 20)), rng.uniform(1, 2, (4, 20))
    terms = profile_terms("f", first, second)
    assert np.allclose(terms["f"], 2 - 2 * np.corrcoef(first, second)[:6, 6:])
    assert np.allclose(terms["f level"], np.square(first.sum(axis=1)[:, None] - second.sum(axis=1)))
    own = profile_terms("f", first)["f"]
    assert np.array_equal(own.diagonal(), np.zeros(6)) and np.allclose(own, own.T)
    assert np.isfinite(profile_terms("f", np.zeros((3, 20)), first)["f"]).all()  # the unit base encoder itself


def test_conformal_quantile_and_its_limits():
    residuals = np.arange(1.0, 20.0)  # 19 encoders: the 18th of 20 ranks is 90 %
    assert conformal_quantile(residuals, np.arange(19), 0.9) == 18.0
    assert np.array_equal(
        conformal_quantile(np.stack([residuals, residuals[::-1] * 2], axis=1), np.arange(19), 0.9), [18.0, 36.0]
    )
    assert conformal_quantile(residuals[:8], np.arange(8), 0.9) == np.inf
    assert conformal_quantile(residuals[:9], np.arange(9), 0.9) == 9.0
    # a group of a hundred copies has one vote, like any other
    crowd = np.concatenate([np.full(100, 50.0), residuals])
    assert conformal_quantile(crowd, np.concatenate([np.zeros(100), np.arange(1, 20)]), 0.9) == 19.0


@pytest.mark.parametrize("size", [1, 5])
def test_conformal_intervals_and_p_values_hold_what_they_promise(size):
    """New groups drawn like the known: covered in 90 % of the draws, and p <= 0.1 in at most 10 %."""
    rng, covered, small = np.random.default_rng(4), [], []
    groups = np.repeat(np.arange(30), size)
    for _ in range(1000):
        draw = np.abs(rng.standard_normal(31)[np.repeat(np.arange(31), size)] + 0.3 * rng.standard_normal(31 * size))
        known, new = draw[: 30 * size], draw[30 * size :]
        covered.append(np.mean(new <= conformal_quantile(known, groups, 0.9)))
        small.append(np.mean(conformal_p_values(known, groups, new) <= 0.1))
    assert 0.88 < np.mean(covered) < 0.94
    assert 0.05 < np.mean(small) < 0.12


def test_metrics_of_a_constant_and_of_a_perfect_prediction():
    rng = np.random.default_rng(5)
    y, fold = rng.standard_normal((40, 1)), np.repeat([0, 1], 20)
    expected = np.where(fold == 0, y[20:].mean(), y[:20].mean())[:, None]
    same = measure(y, expected, fold, expected)
    assert same["spearman"] == same["pearson"] == 0.0 and same["r2"] == pytest.approx(0.0)
    perfect = measure(y, y, fold, expected)
    assert perfect["spearman"] == pytest.approx(1.0) and perfect["r2"] == 1.0 and perfect["mae"] == 0.0


def test_known_structure_is_found_and_chance_is_not(report):
    assert set(report.metrics["predictor"]) == set(PREDICTORS)
    assert value(report, "ours") > 0.85 and value(report, "ours+cka") > 0.85
    assert value(report, "ours") > value(report, "paper") > 0.3  # sines are not linear
    assert (
        abs(value(report, "spectrum")) < 0.35 and abs(value(report, "dimension")) < 0.35
    )  # made without regard to the scores
    null = report.null[report.null["task"] == MEAN].set_index(["predictor", "scheme"])
    assert len(null) == 2 * len(PREDICTORS)
    assert null["null_mean"].abs().max() < 0.12  # 20 permutations of standard deviation 0.1 or so, two tasks
    assert (null["null_low"] < 0).all() and (null["null_high"] > 0).all()
    assert null.loc[("ours", "grouped"), "p_value"] == pytest.approx(1 / 21)


def test_tables_are_tidy_and_complete(report):
    assert report.metrics.groupby(["task", "predictor", "scheme", "metric"]).size().eq(1).all()
    assert len(report.metrics) == 3 * len(PREDICTORS) * 3 * 4
    assert (report.metrics["low"] <= report.metrics["value"] + 1e-12).all() and (
        report.metrics["value"] <= report.metrics["high"] + 1e-12
    ).all()
    predictions = report.predictions
    assert len(predictions) == 96 * 2 * 3 and not predictions.isna().any().any()
    assert (predictions["low"] < predictions["predicted"]).all() and (
        predictions["predicted"] < predictions["high"]
    ).all()
    inside = predictions["score"].between(predictions["low"], predictions["high"]).mean()
    assert 0.8 < inside and 0.8 < report.coverage["covered"].min()
    chosen = report.choices[report.choices["predictor"] == "ours"]
    assert len(chosen) == (2 * 2 * 4 + 20) * 2 and {"terms", "width", "noise"} == set(
        json.loads(chosen["chosen"].iloc[0])
    )


def test_intervals_cover_as_often_as_they_say():
    """Over exchangeable groups, with the whole way from choice to interval inside the folds."""
    settings = SETTINGS.model_copy(update={"permutations": 0, "repeats": 1})
    covered = [
        evaluate(made(seed, size=2), settings).coverage.query("scheme == 'grouped'")["covered"].mean()
        for seed in range(4)
    ]
    assert 0.85 < np.mean(covered) < 0.96


def test_near_copies_across_a_split_are_caught_by_the_grouping():
    """Scores that only the group tells: memory of near-copies looks like prediction unless groups are kept whole."""
    found = evaluate(made(1, told=False, spread=0.003), SETTINGS)
    for predictor in ("ours", "ours+cka", "neighbours", "cka"):
        assert value(found, predictor, "ungrouped") > 0.7
        assert value(found, predictor, "grouped") < 0.35
    assert not found.notes


def test_a_near_copy_in_another_group_is_named():
    data = made(groups=14)
    features = {name: matrix.copy() for name, matrix in data.features.items()}
    for matrix in features.values():
        matrix[20] = matrix[3] + 1e-6
    notes = evaluate(
        changed(data, features=features), SETTINGS.model_copy(update={"repeats": 1, "permutations": 0})
    ).notes
    assert notes == (
        "1 pair of encoders is nearly the same though of different groups; a fold may separate them: e3 and e20",
    )


def test_two_runs_are_the_same_and_another_seed_is_not():
    data, settings = made(groups=14), SETTINGS.model_copy(update={"repeats": 1, "permutations": 3})
    first, second, other = (
        evaluate(data, each) for each in (settings, settings, settings.model_copy(update={"seed": 1}))
    )
    for table in ("metrics", "null", "coverage", "predictions", "choices"):
        pd.testing.assert_frame_equal(getattr(first, table), getattr(second, table), check_exact=True)
    assert not first.predictions["predicted"].equals(other.predictions["predicted"])


def test_each_task_uses_the_encoders_that_have_it():
    data, settings = made(), SETTINGS.model_copy(update={"repeats": 1, "permutations": 0})
    scores = data.scores.copy()
    scores[::5, 1] = np.nan
    known = np.flatnonzero(~np.isnan(scores[:, 1]))
    found = evaluate(changed(data, scores=scores), settings)
    alone = evaluate(part(changed(data, scores=scores), known, [1]), settings)
    mixed = found.predictions.query("task == 'second'").reset_index(drop=True)
    pd.testing.assert_frame_equal(mixed, alone.predictions, check_exact=False, rtol=1e-9)
    assert set(found.metrics.query("task == 'second'")["encoders"]) == {len(known)}
    assert np.isnan(fit(changed(data, scores=scores), settings).scores).sum() == 20


def test_too_few_groups_and_constant_scores_are_told():
    data, settings = made(), SETTINGS.model_copy(update={"repeats": 1, "permutations": 0})
    scores = np.column_stack([data.scores, np.full(96, 0.5), np.where(np.arange(96) < 20, data.scores[:, 0], np.nan)])
    told = changed(
        data, scores=scores, tasks=("first", "second", "flat", "rare"), ranges=score_ranges(["own"] * 4, scores)
    )
    found = evaluate(told, settings)
    assert set(found.notes) == {
        "flat: not predicted; all its scores are the same",
        "rare: not predicted; scores of 5 groups of encoders, and 12 are needed",
    }
    assert set(found.predictions["task"]) == {"first", "second"}
    for rows, columns, message in (
        (np.arange(20), [0], "scores of 5 groups"),
        (np.arange(96), [2], "flat: not predicted; all its scores"),
    ):
        tasks = tuple(told.tasks[c] for c in columns)
        with pytest.raises(UserError, match=message):
            evaluate(changed(part(data, rows, [0]), scores=scores[rows][:, columns], tasks=tasks), settings)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"features": {}}, "no features"),
        (
            {"features": {"clip": np.where(np.arange(40) == 3, np.nan, np.ones((96, 40)))}},
            r"NaN or Inf in the features 'clip' of encoder 'e0'",
        ),
        ({"sketches": np.full((96, 3), np.inf)}, "in the sketches of encoder 'e0'"),
        ({"groups": np.zeros(95)}, "groups of 95 encoders where 96 are named"),
        ({"kinds": np.repeat(np.arange(48), 2)}, "encoders of one group are of several kinds"),
        ({"ranges": np.zeros((3, 2))}, r"ranges of shape \(3, 2\) for 2 tasks"),
        ({"tasks": ("first",)}, r"scores of shape \(96, 2\) for 96 encoders and 1 tasks"),
        ({"scores": np.full((96, 2), np.inf)}, "the score of 'e0' on 'first' is infinite"),
    ],
)
def test_wrong_input_is_named(fields, message):
    with pytest.raises(UserError, match=message):
        changed(made(), **fields)


def test_predictor_of_new_encoders():
    data = made(size=3, groups=40)
    known, new = np.flatnonzero(np.arange(120) < 84), np.flatnonzero(np.arange(120) >= 84)  # the last 12 groups are new
    predictor = fit(part(data, known), SETTINGS)
    tables = {name: matrix[new] for name, matrix in data.features.items()} | {"cka": data.sketches[new]}
    found = predictor.predict(tables)
    assert found.mean.shape == (36, 2) and (found.low < found.high).all()
    for task in range(2):
        assert np.corrcoef(found.mean[:, task], data.scores[new, task])[0, 1] > 0.8
    assert np.mean((found.low <= data.scores[new]) & (data.scores[new] <= found.high)) > 0.75
    strange = {name: np.random.default_rng(0).uniform(0, 9, (2, 40)) for name in data.features} | {
        "cka": -tables["cka"][:2]
    }
    odd = predictor.predict(strange)
    assert (odd.familiarity < found.familiarity.max()).all()
    assert (odd.high - odd.low).min() > np.median(found.high - found.low)
    copies = predictor.predict({name: matrix[:5] for name, matrix in predictor.tables.items()})
    assert copies.nearest == data.encoders[:5]


def test_predictor_survives_the_way_through_files():
    data = made(groups=16)
    scores = data.scores.copy()
    scores[:8, 1], scores[40:44] = np.nan, np.nan  # two blocks, and a group that no task knows
    for sketches in (True, False):
        predictor = fit(changed(data, scores=scores), SETTINGS, sketches)
        arrays, meta = predictor.to_arrays()
        again = Predictor.from_arrays(load(save(arrays)), json.loads(json.dumps(meta)))
        tables = {name: matrix[40:44] + 0.01 for name, matrix in data.features.items()} | {"cka": data.sketches[40:44]}
        first, second = predictor.predict(tables), again.predict(tables)
        assert len(predictor.encoders) == 60 and len(predictor.models) == 2
        for name in ("mean", "low", "high", "familiarity", "kinds"):
            assert np.array_equal(getattr(first, name), getattr(second, name))
        assert first.nearest == second.nearest
    with pytest.raises(UserError, match="schema 0, and this version reads 2"):
        Predictor.from_arrays(arrays, {**meta, "schema": 0})


def test_predictor_names_what_is_missing():
    predictor = fit(made(groups=14), SETTINGS)
    tables = dict(predictor.tables)
    with pytest.raises(UserError, match="'cka' is missing; this predictor was fitted on clip, mix, cka"):
        predictor.predict({name: table for name, table in tables.items() if name != "cka"})
    with pytest.raises(UserError, match=r"'mix' of shape \(56, 39\); \(M, 40\)"):
        predictor.predict({**tables, "mix": tables["mix"][:, 1:]})
    with pytest.raises(UserError, match="NaN or Inf in 'clip'"):
        predictor.predict({**tables, "clip": np.full((56, 40), np.nan)})


# ---- kinds


def test_leaving_a_kind_out_is_a_refit_without_it():
    """The residuals that intervals are calibrated on are those of a model that never saw the kind, with the kernel and
    noise that were chosen."""
    data = made(groups=14, kinds=7)
    predictor = fit(data, SETTINGS, sketches=False)
    block, model = predictor.models[0]
    task, kind = 0, predictor.kinds == 3
    candidate, noise = model.candidates[model.choice.candidates[task]], model.choice.noises[task]
    matrix = kernel(candidate, model.inside, model.medians)
    solved = np.linalg.solve(
        matrix[np.ix_(~kind, ~kind)] + noise * np.eye((~kind).sum()),
        np.column_stack([model.y[~kind, task], matrix[np.ix_(~kind, kind)]]),
    )
    mean = matrix[np.ix_(kind, ~kind)] @ solved[:, 0]
    variance = (
        matrix[np.ix_(kind, kind)].diagonal()
        + noise
        - np.einsum("ij,ji->i", matrix[np.ix_(kind, ~kind)], solved[:, 1:])
    )
    assert np.allclose(
        model.choice.kind_residuals[kind, task], np.abs(mean - model.y[kind, task]) / np.sqrt(variance), atol=1e-6
    )


def test_an_encoder_of_a_new_kind_is_inside_its_interval_as_often_as_promised():
    """Kinds drawn alike: intervals over kinds hold for a kind that nobody saw, and those over groups, which know only
    near-copies, hold less often."""
    inside, over_groups = [], []
    for seed in range(10):
        data = made(seed, groups=36, size=2, kinds=12)
        new = data.kinds == 0
        predictor = fit(part(data, ~new), SETTINGS, sketches=False)
        found = predictor.predict({name: matrix[new] for name, matrix in data.features.items()})
        assert (found.kinds == 11).all() and np.isfinite(found.low).all()
        inside.append(np.mean((found.low <= data.scores[new]) & (data.scores[new] <= found.high)))
        report = evaluate(
            data, SETTINGS.model_copy(update={"permutations": 0, "repeats": 1}), ("ours", "paper"), ("kinds",)
        )
        covered = report.coverage[report.coverage["task"] == MEAN].set_index("calibrated")["covered"]
        over_groups.append(covered["kinds"] - covered["groups"])
        assert covered["kinds"] > 0.75
    assert np.mean(inside) > 0.87
    assert np.mean(over_groups) > 0.05


def test_with_too_few_kinds_there_is_no_interval_and_no_prediction():
    data = made(groups=24, kinds=8)
    found = fit(data, SETTINGS).predict(
        {name: matrix[:3] for name, matrix in data.features.items()} | {"cka": data.sketches[:3]}
    )
    assert (
        np.isnan(found.mean).all()
        and (found.low == -np.inf).all()
        and (found.high == np.inf).all()
        and (found.kinds == 8).all()
    )
    notes = evaluate(data, SETTINGS.model_copy(update={"permutations": 0, "repeats": 1})).notes
    assert notes == (
        "first, second: not predictable from this map for an encoder of a new kind; scores of 8 kinds of encoders, "
        "which promise at most 89%, and 9 are "
        "needed for intervals of 90%",
    )
    less = fit(data, SETTINGS.model_copy(update={"coverage": 0.8})).predict(
        {name: matrix[:3] for name, matrix in data.features.items()} | {"cka": data.sketches[:3]}
    )
    assert np.isfinite(less.low).all() and np.isfinite(less.mean).all()


@pytest.mark.parametrize("kinds", [1, 2])
def test_kinds_that_cannot_be_left_out_are_told(kinds):
    data = made(groups=14, kinds=kinds)
    report = evaluate(data, SETTINGS.model_copy(update={"permutations": 0, "repeats": 1}))
    assert set(report.metrics["scheme"]) == {"grouped", "ungrouped"} and f"scores of {kinds} kinds" in report.notes[0]
    found = fit(data, SETTINGS, sketches=False).predict({name: matrix[:2] for name, matrix in data.features.items()})
    assert np.isnan(found.familiarity).all()


def test_an_encoder_of_a_known_kind_is_familiar_and_one_of_a_new_kind_seldom():
    """At most a share 1 - f of new kinds reaches familiarity f; another encoder of a known kind does."""
    new, known = [], []
    for seed in range(8):
        data = made(seed, groups=30, size=3, kinds=15, spread=0.02)
        out = data.kinds == 0
        rest = part(data, ~out)
        more = np.flatnonzero(rest.groups == rest.groups[0])[:1]
        keep = np.setdiff1d(np.arange(len(rest.encoders)), more)
        predictor = fit(part(rest, keep), SETTINGS, sketches=False)
        new += predictor.predict({name: matrix[out] for name, matrix in data.features.items()}).familiarity.tolist()
        known += predictor.predict({name: matrix[more] for name, matrix in rest.features.items()}).familiarity.tolist()
    assert np.mean(np.array(new) >= 0.8) <= 0.35 and np.median(known) > np.median(new)


def test_intervals_end_where_the_metric_ends():
    scores = np.array([[0.2, 0.3, 0.5, 70.0, np.nan], [0.9, -0.4, 0.7, 85.0, 3.0]])
    ranges = score_ranges(["accuracy", "cosine_spearman", "ndcg_at_10", "accuracy", "own"], scores)
    assert ranges.tolist() == [[0, 1], [-1, 1], [0, 1], [-np.inf, np.inf], [-np.inf, np.inf]]
    low, high = interval(np.array([[0.9, -0.9, 0.5, 60.0, 1.0]]), np.array([[0.3, 0.3, np.inf, 30.0, 2.0]]), ranges)
    assert np.allclose(low, [[0.6, -1, -np.inf, 30, -1]]) and np.allclose(high, [[1, -0.6, np.inf, 90, 3]])


@pytest.mark.parametrize(
    ("metrics", "low"),
    [
        (
            "accuracy f1 max_ap similarity_ap cosine_ap map_at_1000 ndcg_at_10 ndcg@10 mrr_at_10 recall_at_5 "
            "hit_rate_at_5 v_measure nmi lrap text_acc "
            "taxon_top_1_accuracy max_over_subqueries_map_at_1000 precision_at_1",
            0.0,
        ),
        ("cosine_spearman pearson kendalltau p-MRR ami main_score mcc nauc_map_at_1_max anything", -1.0),
    ],
)
def test_the_range_of_a_metric_is_known_by_its_name(metrics, low):
    names = metrics.split()
    assert score_ranges(names, np.full((3, len(names)), 0.5)).tolist() == [[low, 1.0]] * len(names)
    assert score_ranges(names, np.full((3, len(names)), -0.5)).tolist() == [[-1.0, 1.0]] * len(
        names
    )  # then it is another metric than its name says
    assert score_ranges(names, np.full((3, len(names)), 50.0)).tolist() == [[-np.inf, np.inf]] * len(names)  # percent


def test_kinds_are_coarser_than_groups():
    kinds, groups = np.array(["a", "b", "c", "c"]), np.array(["g", "g", "h", "i"])
    assert coarser(kinds, groups).tolist() == [0, 0, 1, 1]
    assert most_coverage(np.arange(9)) == pytest.approx(0.9) and fewest_groups(0.9) == 9 and fewest_groups(0.95) == 19
