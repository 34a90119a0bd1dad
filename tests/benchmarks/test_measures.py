"""The measures of rankings in the benchmarks' tables, and their differences, against brute force and scipy."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score


@pytest.fixture
def measures(load):
    return load("corruption", "measures")


@pytest.fixture
def tables(load):
    return load("corruption", "tables")


def values_of(cells: dict[str, dict[str, list[float]]]) -> pd.DataFrame:
    """Return values by cell and method, one for each seed, as tables are made of them."""
    parts = {cell: pd.DataFrame(methods).rename_axis("seed") for cell, methods in cells.items()}
    return pd.concat(parts, names=["cell"])


@pytest.mark.parametrize("n_levels", [2, 5, 1000])
def test_all_measures_of_a_ranking_are_those_of_brute_force_with_ties_cut_by_index(measures, n_levels):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        mask = rng.permutation(np.arange(40) < rng.integers(1, 39))
        scores = rng.integers(n_levels, size=40).astype(float)
        first = sorted(range(40), key=lambda i: (-scores[i], i))[: mask.sum()]
        expected = {
            "auroc": roc_auc_score(mask, scores),
            "ap": average_precision_score(mask, scores),
            "precision": sum(mask[i] for i in first) / len(first),
            "fnr": sum(mask[i] for i in range(40) if i not in first) / mask.sum(),
        }
        found = measures.graded(mask, scores)
        assert found == pytest.approx(expected, abs=1e-6)
        assert found["precision"] + found["fnr"] == pytest.approx(1, abs=1e-6)
        assert measures.by_measure(mask, {"one": scores, "other": -scores}) == {
            name: {"one": value, "other": measures.graded(mask, -scores)[name]} for name, value in found.items()
        }


@pytest.mark.parametrize("n_seeds", [2, 3, 10])
def test_the_interval_of_a_difference_is_that_of_the_paired_t_test(measures, n_seeds):
    rng = np.random.default_rng(n_seeds)
    for shift in (0, 1, 10):
        of_the_labels = rng.normal(90, 5, n_seeds)  # what both methods have to do with
        one, other = (pd.Series(of_the_labels + rng.normal(add, 1, n_seeds)) for add in (shift, 0))
        test = stats.ttest_rel(one, other)
        gap = measures.difference(one, other)
        assert gap.mean == pytest.approx(np.mean(one - other))
        assert gap[1:] == pytest.approx(tuple(test.confidence_interval(0.95)))
        assert gap.resolved == (test.pvalue < 0.05)
        back = measures.difference(other, one)
        assert (back.mean, back.low, back.high) == pytest.approx((-gap.mean, -gap.high, -gap.low))


def test_seeds_are_paired_by_name_and_those_that_one_lacks_are_left_out(measures):
    one = pd.Series([5.0, 1.0, 3.0, 7.0], index=[2, 0, 1, 3])
    other = pd.Series([0.5, 1.0, 4.0, np.nan], index=[0, 1, 2, 3])
    expected = stats.ttest_1samp([0.5, 2.0, 1.0], 0).confidence_interval()
    assert measures.difference(one, other) == pytest.approx((3.5 / 3, *expected))


@pytest.mark.parametrize("apart", [[], [5.0], [0.0, 0.0, 0.0], [5.0, 5.0, 5.0], [0.3 - 0.1, 0.2]], ids=str)
def test_there_is_no_interval_where_nothing_says_how_far_differences_vary(measures, apart):
    gap = measures.difference(pd.Series(apart, dtype=float), pd.Series(np.zeros(len(apart))))
    assert np.isnan(gap.mean) if not apart else gap.mean == pytest.approx(np.mean(apart))
    assert np.isnan(gap.low)
    assert np.isnan(gap.high)
    assert not gap.resolved


def test_tables_have_means_and_deviations_and_mark_differences_that_are_resolved(tables):
    values = values_of(
        {
            "b": {"mine": [80.0, 81.0, 85.0], "near": [79.0, 83.0, 84.0], "far": [70.0, 70.5, 74.0]},
            "a": {"mine": [90.0, 92.0], "near": [90.0, 92.0], "far": [np.nan, 95.0]},
            "c": {"mine": [50.0], "near": [np.nan], "far": [60.0]},
        }
    )
    assert tables.means(values).to_dict("index") == {
        "b": {"mine": "82.00 ± 2.65", "near": "82.00 ± 2.65", "far": "71.50 ± 2.18"},
        "a": {"mine": "91.00 ± 1.41", "near": "91.00 ± 1.41", "far": "95.00"},
        "c": {"mine": "50.00", "near": "", "far": "60.00"},
    }
    far = stats.ttest_1samp([-10.0, -10.5, -11.0], 0).confidence_interval()
    near = stats.ttest_1samp([-1.0, 2.0, -1.0], 0).confidence_interval()
    found = tables.differences(values, "mine")
    assert found.to_dict("index") == {
        "b": {"near": f"0.00 ({near[0]:+.2f} to {near[1]:+.2f})", "far": f"**-10.50 ({far[0]:.2f} to {far[1]:.2f})**"},
        "a": {"near": "0.00", "far": "+3.00"},
        "c": {"near": "", "far": "+10.00"},
    }
    assert list(found.index) == list(tables.means(values).index) == ["b", "a", "c"]
    for across in (False, True):
        text = "\n".join(tables.compared(values, "mine", "AUROC, %", across=across))
        assert "## AUROC, paired differences, points" in text
        assert "Each method minus mine, on the same wrong labels" in text
        assert all(word in text for word in (*found.index, *found, *found.to_numpy().flat))
    assert tables.compared(values.loc[["c"]], "mine", "AUROC, %") == []  # one seed: nothing to tell
    assert tables.compared(values, "nobody", "AUROC, %") == []


def test_a_method_is_called_ahead_or_behind_only_where_that_is_resolved(tables):
    rows = [
        {"method": method, "rate": rate, "seed": seed, "auroc": (value + (seed if method == "loss" else 0)) / 100}
        for rate, gaps in {0.1: {"curvature": 20, "loss": 70}, 0.2: {"curvature": 70.5, "loss": 70}}.items()
        for method, value in gaps.items()
        for seed in (0, 1, 2)
    ]
    order = {"curvature": "Curvature", "loss": "Loss"}
    (line,) = tables.verdict(tables.percent(rows, "auroc"), order)
    assert re.search(
        r"at 10 % -51\.00 \(.*\) points, behind Loss; at 20 % -0\.50 \(.*\) points, not resolved from", line
    )
    (line,) = tables.verdict(tables.percent([row for row in rows if row["seed"] == 1], "auroc"), order)
    assert line.endswith("at 10 % -51.00 points, not resolved from Loss; at 20 % -0.50 points, not resolved from Loss.")
    same = [{**row, "auroc": 0.5} for row in rows]
    (line,) = tables.verdict(tables.percent(same, "auroc"), order)
    assert line.endswith("at 10 % level with Loss; at 20 % level with Loss.")


def test_older_records_have_the_precision_at_the_true_count_by_the_share_missed(tables):
    rows = [{"method": name, "rate": 0.1, "seed": 0, "fnr": missed} for name, missed in (("a", 0.25), ("b", 1.0))]
    assert tables.percent(rows, "precision").to_numpy().tolist() == [[75.0, 0.0]]


def test_of_a_grid_the_best_of_each_cell_is_shown_and_paired(load):
    embeddings = load("embeddings")
    values = values_of(
        {
            "x": {"k/1": [1.0, 9.0], "k/2": [4.0, 4.0], "l": [0.0, 1.0]},
            "y": {"k/1": [1.0, 2.0], "k/2": [2.0, 3.0], "l": [5.0, 5.0]},
        }
    )
    assert embeddings.best(values, "k/").tolist() == [1.0, 9.0, 2.0, 3.0]
    assert embeddings.best(values, "l").tolist() == [0.0, 1.0, 5.0, 5.0]


def test_the_best_is_bold_as_it_is_shown(load):
    tables = load("corruption", "tables")
    index = pd.MultiIndex.from_tuples([(0.1, 0)], names=["rate", "seed"])
    values = pd.DataFrame([{"a": 98.745, "b": 98.7371, "c": 98.7449}], index)
    cells = tables.best_of_each(values, {name: name for name in values}).iloc[:, 0]
    bold = {name: cell.strip("*") for name, cell in cells.items() if cell.startswith("**")}
    assert bold == {
        name: cell.strip("*") for name, cell in cells.items() if cell.strip("*") == max(cells.str.strip("*"))
    }
