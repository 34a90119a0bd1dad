"""Planted noise has exact counts, the promised destinations and no side effects."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curvdetect import conflicting_duplicates, corrupt_labels
from curvdetect.data import uneven_noise
from tests.cases import untouched_rng

KINDS = ("uniform", "pair", "confusion", "confusion of X", "instance", "annotator", "annotator of groups", "group")
BY_CLASS = KINDS[:-1]  # all but whole groups, which are of several classes
label_lists = st.lists(st.integers(0, 4), min_size=2, max_size=60).filter(lambda y: len(set(y)) > 1)


def options_for(kind, y):
    """Return what ``kind`` needs beside a rate; row c of the matrix spreads class c unevenly."""
    kind, _, made_of = kind.partition(" of ")
    if kind == "instance" or made_of == "X":
        return {"kind": kind, "X": np.random.default_rng(0).normal(size=(len(y), 1, 2))}
    if kind == "group" or made_of == "groups":
        return {"kind": kind, "groups": [f"site {i % 7}" for i in range(len(y))]}
    if kind != "confusion":
        return {"kind": kind}
    n_classes = len(np.unique(y))
    matrix = np.arange(1.0, n_classes**2 + 1).reshape(n_classes, n_classes)
    return {"kind": kind, "confusion": matrix / matrix.sum(axis=1, keepdims=True)}


def table(given_labels, true_labels, n_classes):
    """Return how often each label stands for each true one."""
    counts = np.zeros((n_classes, n_classes), dtype=int)
    np.add.at(counts, (true_labels, given_labels), 1)
    return counts


@settings(max_examples=40)
@given(y=label_lists, percent=st.integers(0, 100), kind=st.sampled_from(BY_CLASS), seed=st.integers(0, 999))
def test_every_class_loses_exactly_its_share_rounded_half_up(y, percent, kind, seed):
    y = np.array(2 * y if kind in ("instance", "confusion of X") else y)  # they need two of each class
    classes = np.unique(y)
    labels, mask = corrupt_labels(y, percent / 100, **options_for(kind, y), random_state=seed)
    for c in classes:
        assert mask[y == c].sum() == (2 * percent * (y == c).sum() + 100) // 200
    np.testing.assert_array_equal(mask, labels != y)
    assert np.isin(labels, classes).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "y",
    [
        np.array(["a", "bb", "ccc"] * 20),
        np.array(["a", "bb", "ccc"] * 20, dtype=object),
        np.array([-1, 0, 7] * 20, dtype=np.int8),
        np.array([True, False] * 30),
    ],
    ids=["str", "object", "int8", "bool"],
)
def test_labels_keep_their_kind_and_the_input_is_not_changed(y, kind):
    before = y.copy()
    labels, mask = corrupt_labels(y, 0.3, **options_for(kind, y), random_state=0)
    assert labels.dtype == y.dtype
    assert labels.shape == mask.shape == y.shape
    assert mask.dtype == bool
    assert set(labels) <= set(y)
    assert mask.sum() == 18
    np.testing.assert_array_equal(y, before)
    np.testing.assert_array_equal(mask, labels != y)


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_gives_the_same_noise_again_and_another_seed_another(kind):
    y = np.repeat(np.arange(4), 50)
    options = {"rate": 0.4, **options_for(kind, y)}
    with untouched_rng():
        first = corrupt_labels(y, **options, random_state=7)
    np.testing.assert_array_equal(first.labels, corrupt_labels(y, **options, random_state=7).labels)
    state = np.random.RandomState(7)
    np.testing.assert_array_equal(first.labels, corrupt_labels(y, **options, random_state=state).labels)
    assert (first.mask != corrupt_labels(y, **options, random_state=state).mask).any()
    assert (first.mask != corrupt_labels(y, **options, random_state=8).mask).any()


def test_pair_noise_goes_to_the_next_class_and_from_the_last_to_the_first():
    y = np.array(["ant", "bee", "cow", "dog"] * 25)
    labels, mask = corrupt_labels(y, 0.2, kind="pair", random_state=0)
    following = {"ant": "bee", "bee": "cow", "cow": "dog", "dog": "ant"}
    assert mask.sum() == 20
    assert all(label == following[true] for label, true in zip(labels[mask], y[mask], strict=True))


def test_uniform_noise_spreads_evenly_over_all_other_classes():
    n, n_classes = 6000, 6
    y = np.repeat(np.arange(n_classes), n)
    labels, _ = corrupt_labels(y, 0.5, random_state=0)
    counts = table(labels, y, n_classes)
    off = counts[~np.eye(n_classes, dtype=bool)]
    expected = n / 2 / (n_classes - 1)
    assert (np.diag(counts) == n / 2).all()
    # independent draws: counts scatter as a multinomial's do, neither more nor less
    assert np.abs(off - expected).max() < 5 * np.sqrt(expected)
    assert 0.3 < ((off - expected) ** 2).mean() / (expected * (1 - 1 / (n_classes - 1))) < 2


def test_every_sample_of_a_class_is_equally_likely_to_be_corrupted():
    y, runs = np.repeat(np.arange(3), 10), 300
    hits = sum(corrupt_labels(y, 0.3, random_state=seed).mask.astype(int) for seed in range(runs))
    assert hits.sum() == 9 * runs
    assert np.abs(hits - 0.3 * runs).max() < 5 * np.sqrt(0.3 * 0.7 * runs)


MATRIX = np.array([[0.7, 0.2, 0.1], [0.0, 1.0, 0.0], [0.25, 0.25, 0.5]])


def test_a_confusion_matrix_without_a_rate_is_taken_literally():
    codes = np.repeat([1, 2, 0], 100)
    y = np.array(["ant", "bee", "cow"])[codes]  # rows follow the sorted classes
    labels, mask = corrupt_labels(y.tolist(), kind="confusion", confusion=MATRIX, random_state=0)
    np.testing.assert_array_equal(table(np.unique(labels, return_inverse=True)[1], codes, 3), 100 * MATRIX)
    assert mask.sum() == 80


def test_a_confusion_matrix_with_a_rate_keeps_the_proportions_off_the_diagonal():
    y = np.repeat(np.arange(3), 120)
    matrix = [[0.7, 0.2, 0.1], [0.0, 0.0, 1.0], [0.3, 0.1, 0.6]]
    labels, _ = corrupt_labels(y, 0.3, kind="confusion", confusion=matrix, random_state=0)
    np.testing.assert_array_equal(table(labels, y, 3), [[84, 24, 12], [0, 84, 36], [27, 9, 84]])


@settings(max_examples=40)
@given(
    rows=st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3).filter(any), min_size=3, max_size=3),
    sizes=st.lists(st.integers(1, 40), min_size=3, max_size=3),
    seed=st.integers(0, 99),
)
def test_counts_of_a_matrix_are_rounded_by_less_than_one_within_the_wrong_labels(rows, sizes, seed):
    matrix = np.array(rows, dtype=float)
    matrix /= matrix.sum(axis=1, keepdims=True)
    y = np.repeat(np.arange(3), sizes)
    counts = table(corrupt_labels(y, kind="confusion", confusion=matrix, random_state=seed).labels, y, 3)
    for c in range(3):
        others = np.delete(matrix[c], c)
        n_wrong = sizes[c] - counts[c, c]
        assert counts[c].sum() == sizes[c]
        assert abs(n_wrong - sizes[c] * others.sum()) <= 0.5 + 1e-6
        if n_wrong:
            assert np.abs(np.delete(counts[c], c) - others / others.sum() * n_wrong).max() < 1


def blobs(n):
    """Return rows and labels of two classes that overlap and of a third one far away."""
    y = np.repeat(["ant", "bee", "cow"], n)
    X = np.random.default_rng(0).normal(size=(3 * n, 2)) + np.repeat([[0, 0], [2, 0], [1, 30]], n, axis=0)
    return X, y


def test_classes_that_a_weak_classifier_confuses_become_each_other():
    X, y = blobs(200)
    codes = np.unique(y, return_inverse=True)[1]
    for kind in ("confusion", "instance"):
        labels, mask = corrupt_labels(y, 0.2, kind=kind, X=X, random_state=0)
        counts = table(np.unique(labels, return_inverse=True)[1], codes, 3)
        assert (np.diag(counts) == 160).all()
        assert min(counts[0, 1], counts[1, 0]) >= 35
    towards_the_other = np.where(codes == 0, X[:, 0], 2 - X[:, 0])[codes < 2]
    wrong = mask[codes < 2]
    assert towards_the_other[wrong].mean() > towards_the_other[~wrong].mean() + 1
    random = corrupt_labels(y, 0.2, kind="confusion", X=X, random_state=0).mask[codes < 2]
    assert abs(towards_the_other[random].mean() - towards_the_other[~random].mean()) < 0.5


def test_samples_become_wrong_in_proportion_to_their_doubt_and_to_each_other_class(monkeypatch):
    found = np.array([[0.9, 0.06, 0.04], [0.6, 0.1, 0.3], [0.2, 0.8, 0.0], [0.0, 0.5, 0.5], [0.5, 0.3, 0.2]])
    y = np.array([0, 0, 0, 1, 2])
    monkeypatch.setattr(uneven_noise, "weak_probabilities", lambda *args: found.copy())
    runs = 2000
    rng = np.random.RandomState(0)
    labels = np.stack([corrupt_labels(y, 0.4, kind="instance", X=y, random_state=rng).labels[:3] for _ in range(runs)])
    assert ((labels != 0).sum(axis=1) == 1).all()  # 0.4 of three, rounded
    doubt = found[:3, 1:]
    expected = doubt / doubt.sum()
    seen = np.stack([(labels == c).mean(axis=0) for c in (1, 2)], axis=1)
    assert (np.abs(seen - expected) <= 5 * np.sqrt(expected * (1 - expected) / runs)).all()


def test_annotators_differ_in_their_care_and_each_takes_a_class_for_one_other():
    y, groups = np.tile(np.arange(5), 400), np.repeat(list("abcdefgh"), 250)
    labels, mask = corrupt_labels(y, 0.2, kind="annotator", groups=groups, random_state=0)
    for name in "abcdefgh":
        of = mask & (groups == name)
        assert len(set(zip(y[of], labels[of], strict=True))) == len(set(y[of]))
    shares = mask.reshape(8, 250).mean(axis=1)
    assert shares.std() > 3 * np.sqrt(0.2 * 0.8 / 250)  # chance alone
    habits = {(c, label) for c, label in zip(y[mask], labels[mask], strict=True)}
    assert len(habits) > 10  # not those of one of them


@settings(max_examples=40)
@given(
    y=label_lists,
    percent=st.integers(0, 100),
    seed=st.integers(0, 999),
    groups=st.lists(st.integers(0, 6), min_size=60, max_size=60),
)
def test_groups_are_wrong_as_a_whole_but_one_and_a_class_in_one_way(y, percent, seed, groups):
    y, groups = np.array(y), np.array(groups[: len(y)])
    labels, mask = corrupt_labels(y, percent / 100, kind="group", groups=groups, random_state=seed)
    assert mask.sum() == (2 * percent * len(y) + 100) // 200
    np.testing.assert_array_equal(mask, labels != y)
    in_part = [g for g in np.unique(groups) if 0 < mask[groups == g].mean() < 1]
    assert len(in_part) <= 1
    ways = {(g, c, label) for g, c, label in zip(groups[mask], y[mask], labels[mask], strict=True)}
    assert len(ways) == len({(g, c) for g, c, _ in ways})


@settings(max_examples=20)
@given(seed=st.integers(0, 999), kind=st.sampled_from(["group", "annotator"]))
def test_another_order_of_the_samples_leaves_what_a_group_does(seed, kind):
    y, groups = np.tile(np.arange(4), 30), np.repeat(list("abcdef"), 20)
    order = np.random.default_rng(seed).permutation(len(y))
    options = {"rate": 0.5, "kind": kind, "random_state": seed}
    labels = corrupt_labels(y, groups=groups, **options).labels
    moved = corrupt_labels(y[order], groups=groups[order].tolist(), **options).labels
    if kind == "group":  # half are three whole groups
        np.testing.assert_array_equal(moved, labels[order])
    else:
        wrong = (moved != y[order]) & (labels[order] != y[order])
        np.testing.assert_array_equal(moved[wrong], labels[order][wrong])


@settings(max_examples=40)
@given(y=label_lists, percent=st.integers(0, 100), seed=st.integers(0, 999))
def test_pairs_show_one_sample_under_two_labels(y, percent, seed):
    y = np.array(y)
    source, labels, mask = conflicting_duplicates(y, percent / 100, random_state=seed)
    again = conflicting_duplicates(y, percent / 100, random_state=seed)
    assert all(np.array_equal(a, b) for a, b in zip((source, labels, mask), again, strict=True))
    assert labels.dtype == y.dtype
    copies = np.flatnonzero(source != np.arange(len(y)))
    n_pairs = min((percent * len(y) + 100) // 200, len(y) // 2)
    assert len(copies) == n_pairs
    assert len({*copies, *source[copies]}) == 2 * n_pairs  # no sample is in two pairs
    assert mask.sum() == 2 * n_pairs
    assert mask[copies].all()
    assert mask[source[copies]].all()
    assert (labels[copies] != labels[source[copies]]).all()
    untouched = np.setdiff1d(np.arange(len(y)), copies)
    assert np.array_equal(labels[untouched], y[untouched])
    assert np.isin(labels, y).all()
