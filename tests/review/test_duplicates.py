"""Pairs of one sample under two labels: exact copies and near ones, in order of how contradictory they are."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from torch import nn

from curvdetect import (
    CurvatureNoiseDetector,
    LossDetector,
    PlantedNoise,
    find_conflicting_duplicates,
)
from curvdetect.review import duplicates
from tests.cases import Items, quick_net

COLUMNS = ["first", "second", "first_label", "second_label", "kind", "distance", "score", "late_loss", "curvature"]
QUICK = {"max_epochs": 1, "stop_at": 0.01, "device": "cpu", "random_state": 0}


def pictures(n=40, side=16, seed=0):
    """Blobs at random places, no two alike, of classes that alternate."""
    rng = np.random.default_rng(seed)
    X = np.zeros((n, 1, side, side), dtype=np.float32)
    X[:, :, 3:-3, 3:-3] = rng.random((n, 1, side - 6, side - 6))
    return X, np.array(["cat", "dog", "fox", "hen"])[np.arange(n) % 4]


def fitted(X, y, detector=LossDetector, net=None, **options):
    n_classes = len(np.unique(y))
    net = net or quick_net(int(np.prod(X.shape[1:])), n_classes)
    return detector(net, **QUICK, **options).fit(X, y)


def pairs_of(table):
    return list(zip(table["first"], table["second"], strict=True))


def test_exact_and_near_copies_are_named_and_nothing_else():
    X, y = pictures()
    X[20], X[31] = X[3], X[4]
    X[9] = 1.05 * np.roll(X[2], (1, -1), (1, 2))
    X[12] = X[8]  # both cats: no conflict
    y[20], y[31] = "cat", "hen"
    table = find_conflicting_duplicates(fitted(X, y), X)
    assert table.columns.tolist() == COLUMNS
    assert set(pairs_of(table)) == {(3, 20), (4, 31), (2, 9)}
    assert table["kind"].tolist() == ["exact", "exact", "near"]
    assert (table["distance"][:2] == 0).all()
    assert 0 < table["distance"][2] < 0.1
    assert table["first_label"].tolist() == y[table["first"]].tolist()
    assert table["second_label"].tolist() == y[table["second"]].tolist()
    only_exact = find_conflicting_duplicates(fitted(X, y), X, near=False)
    pd.testing.assert_frame_equal(only_exact, table[:2])


def test_three_labels_make_three_pairs_and_without_any_the_columns_are_left():
    X, y = pictures()
    table = find_conflicting_duplicates(fitted(X, y), X)
    assert len(table) == 0
    assert table.columns.tolist() == COLUMNS
    assert (table["first"].dtype, table["score"].dtype) == (np.int64, np.float64)
    X[5] = X[6] = X[7]
    assert set(pairs_of(find_conflicting_duplicates(fitted(X, y), X))) == {(5, 6), (5, 7), (6, 7)}


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), max_size=16))
def test_exact_pairs_are_those_of_all_comparisons(rows):
    contents = np.array([str(content).encode().ljust(16) for content, _ in rows], dtype="V16")
    found = duplicates._exact_pairs(contents, np.array([label for _, label in rows], dtype=np.int64))
    pairs = [(i, j) for j in range(len(rows)) for i in range(j)]
    expected = [(i, j) for i, j in pairs if rows[i][0] == rows[j][0] and rows[i][1] != rows[j][1]]
    assert sorted(map(tuple, found.tolist())) == sorted(expected)


@settings(max_examples=60)
@given(st.lists(st.integers(0, 3), min_size=17, max_size=60))
def test_of_many_copies_each_is_in_a_pair_and_pairs_stay_few(labels):
    labels = np.array(labels)
    found = duplicates._exact_pairs(np.array([b"0" * 16] * len(labels), dtype="V16"), labels)
    several = len(set(labels.tolist())) > 1
    assert set(found.ravel().tolist()) == set(range(len(labels)) if several else ())
    assert len({tuple(pair) for pair in found.tolist()}) == len(found) < len(labels)
    assert (found[:, 0] < found[:, 1]).all()
    assert (labels[found[:, 0]] != labels[found[:, 1]]).all()


def test_score_is_the_share_of_samples_with_less_late_loss_and_curvature():
    X, y = pictures()
    X[20], X[31] = X[3], X[5]
    y[20] = "cat"
    detector = fitted(X, y, CurvatureNoiseDetector, signals=("final_loss",))
    table = find_conflicting_duplicates(detector, X)
    late, curved = detector.signal_scores_["final_loss"], detector.signal_scores_["curvature"]
    for row in table.itertuples():
        members = [row.first, row.second]
        share = np.mean([[np.mean(values < values[i]) for i in members] for values in (late, curved)])
        assert row.score == pytest.approx(share)
        assert row.late_loss == pytest.approx(late[members].mean())
        assert row.curvature == pytest.approx(curved[members].mean())
    assert table["score"].is_monotonic_decreasing
    assert pairs_of(find_conflicting_duplicates(detector, X, k=1)) == pairs_of(table)[:1]


def test_late_loss_is_that_of_the_last_quarter_that_was_trained():
    X, y = pictures()
    X[20] = X[3]
    detector = LossDetector(quick_net(256, 4), max_epochs=8, device="cpu", random_state=0)
    with pytest.warns(ConvergenceWarning):
        detector.fit(X, y)
    row = find_conflicting_duplicates(detector, X).iloc[0]
    assert row["late_loss"] == pytest.approx(detector.signal_quarters_["loss"][3, [3, 20]].mean())
    assert np.isnan(row["curvature"])
    detector.signal_quarters_["loss"][2:] = np.nan
    row = find_conflicting_duplicates(detector, X).iloc[0]
    assert row["late_loss"] == pytest.approx(detector.signal_quarters_["loss"][1, [3, 20]].mean())


def test_a_detector_without_losses_orders_by_its_own_score():
    X, y = pictures(48)
    X[20], X[31] = X[3], X[5]
    y[20] = "cat"
    detector = fitted(X, y)
    del detector.signal_quarters_
    detector.signal_scores_ = {}
    table = find_conflicting_duplicates(detector, X, near=False)
    assert table["late_loss"].isna().all()
    shares = [np.mean([np.mean(detector.scores_ < detector.scores_[i]) for i in pair]) for pair in pairs_of(table)]
    np.testing.assert_allclose(table["score"], sorted(shares, reverse=True))


def test_without_a_net_or_features_pixels_are_searched_alone():
    X, y = pictures()
    X[20], X[9] = X[3], np.roll(X[2], 1, 2)
    y[20] = "cat"
    detector = fitted(X, y)
    expected = find_conflicting_duplicates(detector, X)
    del detector.net_
    find_conflicting_duplicates(detector, X, near=False)  # needs none
    with pytest.warns(UserWarning, match="searched by pixels alone, since the detector was loaded without its net"):
        pd.testing.assert_frame_equal(find_conflicting_duplicates(detector, X), expected)
    detector = fitted(X, y, net=nn.Sequential(nn.Conv2d(1, 4, 16), nn.Flatten()))
    with pytest.warns(UserWarning, match=r"pixels alone, since net passes through no torch.nn.Linear"):
        find_conflicting_duplicates(detector, X)


TABLES = {
    "tensor": torch.from_numpy,
    "frame": lambda X: pd.DataFrame(X, columns=list("abcdef")),
    "dataset": lambda X: Items(zip(torch.from_numpy(X), range(len(X)), strict=True)),
}


@pytest.mark.parametrize("kind", TABLES.values(), ids=TABLES)
def test_tables_of_every_kind_are_searched_by_column(kind):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 6)).astype(np.float32) * np.float32([1, 1, 1, 1, 1, 1000])
    y = np.arange(60) % 3
    X[10], X[20] = X[0], X[4] + np.float32(0.02) * X.std(0)
    data = kind(X)
    detector = LossDetector(quick_net(6, 3), **QUICK).fit(data, y)
    table = find_conflicting_duplicates(detector, data, tolerance=0.05)
    assert pairs_of(table) == [(0, 10), (4, 20)]
    assert table["kind"].tolist() == ["exact", "near"]


def test_wrong_calls_other_data_and_what_is_no_fitted_detector_are_refused():
    X, y = pictures(12)
    detector = fitted(X, y)
    for options, said in (
        ({"k": 0}, "k must be None or a whole number of pairs"),
        ({"n_neighbors": 1.5}, "n_neighbors must be a whole number"),
        ({"tolerance": 1}, r"tolerance must be a number in \[0, 1\)"),
        ({"tolerance": True}, r"tolerance must be a number in \[0, 1\)"),
    ):
        with pytest.raises(ValueError, match=said):
            find_conflicting_duplicates(detector, X, **options)
    for other, said in (
        (X[:5], "X has 5 samples of 12"),
        (X[::-1].copy(), "another order"),
        (X + 1, "not among the rows"),
        (None, "X is None"),
    ):
        with pytest.raises(ValueError, match=said):
            find_conflicting_duplicates(detector, other)
    with pytest.raises(NotFittedError):
        find_conflicting_duplicates(LossDetector(), X)
    with pytest.raises(TypeError, match="needs a fitted detector, got PlantedNoise"):
        find_conflicting_duplicates(PlantedNoise(LossDetector(), rate=0.1), X)
