"""Ridge regressions with samples left out, against refits without them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from curvdetect.signals import factors, leave_one_out
from curvdetect.signals.factors import Factors
from curvdetect.signals.leave_one_out import Choice, LeaveOneOut, blocks_of


def made(n: int, d: int, k: int, seed: int, dtype: type = np.float64) -> tuple[np.ndarray, torch.Tensor]:
    """Return features whose columns have units of their own, and labels that some of them tell."""
    rng = np.random.default_rng(seed)
    y = np.append(np.arange(k), rng.integers(0, k, n - k))
    X = rng.normal(size=(n, d)) + rng.normal(size=(k, d))[y]
    return (X * 10 ** rng.uniform(-3, 3, d) + rng.normal(size=d)).astype(dtype), torch.from_numpy(y)


def in_order(ridge: LeaveOneOut) -> tuple[np.ndarray, np.ndarray]:
    """Return the log-probabilities of all samples, left out and with them."""
    index, left_out, fitted = zip(*ridge.parts(), strict=True)
    order = np.argsort(np.concatenate(index))
    return torch.cat(left_out).numpy()[order], torch.cat(fitted).numpy()[order]


def refitted(X: np.ndarray, y: torch.Tensor, k: int, choice: Choice, left_out: list[np.ndarray]) -> np.ndarray:
    """Return log-probabilities of each group by a regression on all others, fitted anew."""
    X = (X - X.mean(0)) / X.std(0)
    targets, logits = np.eye(k)[y.numpy()], np.empty((len(X), k))
    for group in left_out:
        others = np.setdiff1d(np.arange(len(X)), group)
        logits[group] = Ridge(choice.penalty).fit(X[others], targets[others]).predict(X[group])
    return torch.from_numpy(logits / choice.temperature).log_softmax(1).numpy()


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(8, 40),
    d=st.integers(1, 60),
    k=st.integers(2, 5),
    seed=st.integers(0, 9),
    penalty=st.floats(1e-2, 1e3),
    n_groups=st.none() | st.integers(2, 8),
)
def test_probabilities_are_those_of_refits_without_each_sample_or_group(n, d, k, seed, penalty, n_groups):
    X, y = made(n, d, k, seed)
    groups = None if n_groups is None else np.random.default_rng(seed).integers(0, n_groups, n)
    ridge = LeaveOneOut(Factors(X), y, k, groups, Choice(penalty, 0.3, 0.0))
    parts = [np.array([i]) for i in range(n)] if groups is None else [np.flatnonzero(groups == g) for g in set(groups)]
    np.testing.assert_allclose(np.exp(in_order(ridge)[0]), np.exp(refitted(X, y, k, ridge.choice, parts)), atol=1e-6)
    np.testing.assert_allclose(
        np.exp(in_order(ridge)[1]),
        np.exp(_with_all(X, y, k, ridge.choice)),
        atol=1e-6,
    )


def _with_all(X, y, k, choice):
    X = (X - X.mean(0)) / X.std(0)
    logits = Ridge(choice.penalty).fit(X, np.eye(k)[y.numpy()]).predict(X)
    return torch.from_numpy(logits / choice.temperature).log_softmax(1).numpy()


@pytest.mark.parametrize("shape", [(40, 8), (20, 30)])
def test_choice_is_the_best_of_a_grid_of_refits(shape):
    X, y = made(*shape, 3, 0)
    ridge = LeaveOneOut(Factors(X), y, 3)
    parts = [np.array([i]) for i in range(len(X))]
    grid = []
    for penalty in Factors(X).penalties.tolist():
        logits = refitted(X, y, 3, Choice(penalty, 1.0, 0.0), parts)
        grid += [
            torch.from_numpy(logits / t).log_softmax(1).gather(1, y[:, None]).mean().item()
            for t in np.geomspace(0.02, 2, 60)
        ]
    choice = ridge.choice._replace(scales=np.ones(1), offsets=np.zeros(1))
    plain = refitted(X, y, 3, choice, parts)[np.arange(len(X)), y].mean()
    assert max(grid) <= plain < max(grid) + 1e-3
    left_out = in_order(ridge)[0]
    assert ridge.choice.likelihood == pytest.approx(left_out[np.arange(len(X)), y].mean())
    assert ridge.choice.likelihood >= plain
    own = np.take_along_axis(in_order(ridge)[0], y.numpy()[:, None], 1)
    assert own.mean() == pytest.approx(ridge.choice.likelihood, abs=1e-9)


@pytest.mark.parametrize("shape", [(300, 8), (300, 40), (200, 300)])
@pytest.mark.parametrize("grouped", [False, True])
def test_penalties_around_that_of_some_samples_hold_the_best_of_all(shape, grouped, monkeypatch):
    X, y = made(*shape, 3, 0)
    y[::5] = (y[::5] + 1) % 3
    groups = np.arange(len(X)) // 2 if grouped else None
    everywhere = LeaveOneOut(Factors(X), y, 3, groups)
    monkeypatch.setattr(leave_one_out, "N_FIRST", 100)
    tried, regression = [], LeaveOneOut._regression
    monkeypatch.setattr(
        LeaveOneOut, "_regression", lambda *args: (tried.append(len(args[0].labels)), regression(*args))[1]
    )
    climbed = LeaveOneOut(Factors(X), y, 3, groups)
    assert tried.count(len(X)) < 8 < tried.count(100)
    assert climbed.choice[:3] == everywhere.choice[:3]
    np.testing.assert_array_equal(in_order(climbed)[0], in_order(everywhere)[0])


@pytest.mark.parametrize("grouped", [False, True])
def test_some_of_many_columns_that_are_alike_choose_a_penalty_that_is_as_good(grouped, monkeypatch):
    X, y = made(400, 12, 3, 0)
    y[::5] = (y[::5] + 1) % 3
    rng = np.random.default_rng(1)
    X = np.maximum((X - X.mean(0)) / X.std(0) @ rng.normal(size=(12, 240)) + rng.normal(size=240), 0)
    groups = np.arange(len(X)) // 2 if grouped else None
    everywhere = LeaveOneOut(Factors(X), y, 3, groups, alike=True)
    monkeypatch.setattr(leave_one_out, "N_COLUMNS", 50)
    tried, regression = [], LeaveOneOut._regression
    monkeypatch.setattr(
        LeaveOneOut, "_regression", lambda *args: (tried.append(len(args[0].factors.scale)), regression(*args))[1]
    )
    some = LeaveOneOut(Factors(X), y, 3, groups, alike=True)
    assert tried.count(240) == 1 < tried.count(50)
    assert everywhere.choice.penalty / 10 <= some.choice.penalty <= 10 * everywhere.choice.penalty
    assert some.choice.likelihood > everywhere.choice.likelihood - 0.01
    parts = (list(blocks_of(groups)[0]) if grouped else [np.array([i]) for i in range(len(X))])[::10]
    checked = np.concatenate(parts)
    plain = some.choice._replace(scales=np.ones(1), offsets=np.zeros(1))
    found = LeaveOneOut(Factors(X), y, 3, groups, plain)
    expected = refitted(X, y, 3, plain, parts)
    np.testing.assert_allclose(np.exp(in_order(found)[0][checked]), np.exp(expected[checked]), atol=1e-6)
    other = LeaveOneOut(Factors(X), y, 3, groups)  # columns of all kinds: the one that tells may not be among some
    assert other.choice[:3] == everywhere.choice[:3]


def test_some_columns_are_of_no_one_part_of_a_picture(monkeypatch):
    X, y = made(400, 60, 3, 0)
    X = np.maximum(((X - X.mean(0)) / X.std(0))[:, :, None] * np.array([0.0, 1, 1]), 0).reshape(400, 180)
    everywhere = LeaveOneOut(Factors(X), y, 3, alike=True)
    monkeypatch.setattr(leave_one_out, "N_COLUMNS", 60)  # every third column is that of a part where all are black
    some = LeaveOneOut(Factors(X), y, 3, alike=True)
    assert some.choice.likelihood > everywhere.choice.likelihood - 0.01
    assert everywhere.choice.penalty / 10 <= some.choice.penalty <= 10 * everywhere.choice.penalty
    blank = LeaveOneOut(Factors(np.zeros((400, 180))), y, 3, alike=True)
    assert np.isfinite(blank.choice.likelihood)


@pytest.mark.parametrize(("shape", "dtype", "atol"), [((90, 20), np.float32, 1e-5), ((50, 60), np.float64, 1e-12)])
@pytest.mark.parametrize("grouped", [False, True])
def test_scores_do_not_depend_on_chunks_or_on_the_order_and_the_scale_of_columns(
    shape, dtype, atol, grouped, monkeypatch
):
    X, y = made(*shape, 3, 0, dtype)
    groups = np.random.default_rng(1).integers(0, 20, len(X)) if grouped else None
    whole = LeaveOneOut(Factors(X), y, 3, groups)
    monkeypatch.setattr(factors, "CHUNK_BYTES", 2000)
    rng = np.random.default_rng(2)
    units, order = (2.0 ** rng.integers(-9, 9, shape[1])).astype(dtype), rng.permutation(shape[1])
    parts = LeaveOneOut(Factors(X[:, order] * units), y, 3, groups, whole.choice)
    for found, expected in zip(in_order(parts), in_order(whole), strict=True):
        np.testing.assert_allclose(np.exp(found), np.exp(expected), atol=atol)


@pytest.mark.parametrize(("n", "d"), [(100, 2000), (60, 400), (300, 20)])
def test_rounding_of_single_precision_gives_no_label_away(n, d):
    X, _ = made(n, d, 3, 0, np.float32)
    guesses = torch.from_numpy(np.random.default_rng(1).integers(0, 3, n))
    ridge = LeaveOneOut(Factors(X), guesses, 3)
    assert ridge.choice.likelihood < -0.9  # chance is -1.1
    exact = LeaveOneOut(Factors(X.astype(np.float64)), guesses, 3)
    assert ridge.choice.likelihood == pytest.approx(exact.choice.likelihood, abs=1e-3)
