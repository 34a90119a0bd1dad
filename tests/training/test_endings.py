"""What the course of a training says about it."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from curvdetect import LossDetector, corrupt_labels
from curvdetect.data.sources import as_samples
from curvdetect.training.endings import fell_after, judge, memorized_at_once

CPU = {"device": "cpu", "random_state": 0}


def history(*accuracies):
    return [{"epoch": i + 1, "train_accuracy": accuracy} for i, accuracy in enumerate(accuracies)]


COURSES = {
    "rises": ((0.2, 0.5, 1.0), None),
    "dips": ((0.2, 0.9, 0.5, 1.0), None),
    "wavers": ((0.2, 0.985, 0.97), None),
    "falls": ((0.2, 0.9, 0.5, 0.2), 2),
    "falls_late": ((0.2, 0.9, 0.95, 0.92), 3),
    "falls_at_once": ((0.9, 0.1), 1),
    "one": ((0.3,), None),
    "none": ((), None),
}


@pytest.mark.parametrize(("accuracies", "epoch"), COURSES.values(), ids=COURSES)
def test_a_fall_is_what_the_last_epoch_lost_from_the_highest(accuracies, epoch):
    assert fell_after(history(*accuracies)) == epoch


@pytest.mark.parametrize(("accuracies", "at_once"), [((0.9, 0.99), True), ((0.9, 0.98, 0.99), False)])
def test_at_once_is_within_a_tenth_of_the_planned_epochs(accuracies, at_once):
    assert memorized_at_once(history(*accuracies), 20) == at_once


def told(accuracies, shape, n_epochs=20, **options):
    samples = as_samples(np.zeros(shape, dtype=np.float32), np.arange(shape[0]) % 2)
    judge(history(*accuracies), accuracies[-1], samples, n_epochs, level=1, **options)


def test_what_is_said_names_what_was_seen_and_the_way_out():
    with pytest.warns(ConvergenceWarning, match=r"rose to 0\.90 in epoch 2 and was 0\.20 in the last.*net__lr"):
        told((0.2, 0.9, 0.2), (10, 3))
    with pytest.warns(ConvergenceWarning, match=r"accuracy 0\.5000 after 2 epochs.*raise max_epochs"):
        told((0.2, 0.5), (10, 3))
    with pytest.warns(ConvergenceWarning, match=r"12 columns and 10 rows.*ConfidentLearningDetector.*SelectKBest"):
        told((0.9, 1.0), (10, 12))


@pytest.mark.parametrize("accuracies", [(0.2, 0.9, 0.85), (0.2, 0.5), (0.9, 1.0)])
def test_of_an_end_that_was_not_planned_nothing_is_said_but_a_deep_fall(accuracies, recwarn):
    told(accuracies, (10, 12), planned=False)
    assert not recwarn.list
    with pytest.warns(ConvergenceWarning, match="fell apart"):
        told((0.2, 0.9, 0.7), (10, 12), planned=False)


@pytest.mark.parametrize("shape", [(10, 10), (10, 1, 30)], ids=["as_many_rows", "pictures"])
def test_other_samples_may_be_memorized_at_once(shape, recwarn):
    told((0.9, 1.0), shape)
    assert not recwarn.list


def test_wide_rows_that_are_memorized_at_once_are_said_so():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    X = np.float32(rng.normal(size=(60, 10_000)))
    X[:, :150] += 3 * np.eye(3)[y].repeat(50, axis=1)
    labels, _ = corrupt_labels(y, 0.1, random_state=0)
    with pytest.warns(ConvergenceWarning, match=r"at once: X has 10000 columns and 60 rows"):
        LossDetector(max_epochs=30, **CPU).fit(X, labels)
