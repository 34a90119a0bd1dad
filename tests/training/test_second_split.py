"""Two stages: who is learned and who is watched when, from which weights, and what comes of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skorch.callbacks import Callback, Initializer
from torch import nn

from curvdetect.data.samples import as_samples
from curvdetect.training import second_split as room
from curvdetect.training.memorize import memorize
from curvdetect.training.second_split import stratified_halves
from tests.cases import digits, quick_net
from tests.training.test_tracker import Recorder
from tests.training.trainings import of_digits, split

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
STATISTICS = {"forgetting_time", "forgotten_share", "forgetting_loss"}


@given(labels=st.lists(st.integers(0, 4), min_size=2, max_size=40), seed=st.integers(0, 2**40))
def test_halves_share_out_every_class_evenly(labels, seed):
    labels = np.unique(labels, return_inverse=True)[1]
    if np.bincount(labels).max() < 2:
        with pytest.raises(ValueError, match="y holds every label only once"):
            stratified_halves(labels, seed)
        return
    half = stratified_halves(labels, seed)
    assert set(half) <= {0, 1}
    for c in np.unique(labels):
        ones, members = half[labels == c].sum(), (labels == c).sum()
        assert abs(2 * ones - members) <= 1
    assert np.array_equal(half, stratified_halves(labels, seed))


@pytest.fixture
def runs(monkeypatch):
    """What each of the four trainings was called with and returned."""
    seen = []

    def spying(samples, signals, settings, **options):
        before = None
        if options.get("weights") is not None:
            before = {k: v.clone() for k, v in options["weights"].module_.state_dict().items()}
        run = memorize(samples, signals, settings, **options)
        seen.append({"samples": samples, "seed": settings.seed, "run": run, "before": before, **options})
        return run

    monkeypatch.setattr(room, "memorize", spying)
    return seen


def test_each_half_is_learned_once_and_then_watched_while_the_other_is_trained_on(runs, capsys):
    found = split(quick_net(), of_digits(), first_epochs=3, second_epochs=2)
    assert capsys.readouterr() == ("", "")
    assert len(runs) == 4
    for direction, (first, second) in enumerate((runs[:2], runs[2:])):
        mine = np.flatnonzero(found.half == direction)
        assert first["samples"].inputs.index.tolist() == mine.tolist()
        assert second["watched"].inputs.index.tolist() == mine.tolist()
        assert sorted([*second["samples"].inputs.index.tolist(), *mine]) == list(range(100))
        assert second["weights"] is first["run"].net
    assert len({run["seed"] for run in runs}) == 4
    assert set(found.scores) == STATISTICS
    assert all(np.isfinite(scores).all() for scores in found.scores.values())
    lengths = {1: (1, 2, 3), 2: (1, 2)}
    expected = [(half, stage, epoch) for half in (0, 1) for stage in (1, 2) for epoch in lengths[stage]]
    assert [(r["half"], r["stage"], r["epoch"]) for r in found.history] == expected


class _Start(Callback):
    """Keep the weights and the optimizer's state that the first batch of a training meets."""

    starts: list = []  # noqa: RUF012 - clones of the callback write to one list

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        if training and len(net.history) == 1 and len(net.history[-1]["batches"]) == 1:
            weights = {k: v.clone() for k, v in net.module_.state_dict().items()}
            self.starts.append((weights, len(net.optimizer_.state), net.optimizer_.param_groups[0]["lr"]))


def test_second_stage_starts_from_the_weights_of_the_first_with_a_fresh_optimizer_and_schedule(runs):
    _Start.starts.clear()
    split(quick_net(callbacks=[_Start()]), of_digits())
    for first, second in ((0, 1), (2, 3)):
        weights, n_states, lr = _Start.starts[second]
        trained = runs[second]["before"]
        assert weights.keys() == trained.keys()
        assert all(torch.equal(weights[name], trained[name]) for name in weights)
        assert n_states == 0
        assert lr == _Start.starts[first][2]
    # and the first stage of the second direction starts anew
    assert all(torch.equal(v, _Start.starts[2][0][name]) for name, v in _Start.starts[0][0].items())


def test_callbacks_that_set_weights_do_not_undo_the_first_stage_and_a_criterion_may_be_a_function(runs):
    _Start.starts.clear()
    callbacks = [Initializer("*weight", fn=nn.init.normal_), _Start()]
    split(quick_net(callbacks=callbacks, criterion=lambda: nn.functional.cross_entropy), of_digits())
    assert len(_Start.starts) == 4
    for second in (1, 3):
        assert all(torch.equal(v, runs[second]["before"][k]) for k, v in _Start.starts[second][0].items())


def test_statistics_are_what_the_second_net_says_of_the_first_half_after_every_epoch(monkeypatch):
    looks = []

    def watching(samples, signals, settings, **options):
        if options.get("watched") is not None:
            looks.append(Recorder("scoring", look=lambda batch: torch.stack([~batch.correct, batch.loss], 1)))
            signals = [*signals, looks[-1]]
        return memorize(samples, signals, settings, **options)

    monkeypatch.setattr(room, "memorize", watching)
    found = split(quick_net(), of_digits(), second_epochs=3)
    for direction, look in enumerate(looks):
        assert sorted(look.epochs) == [1, 2, 3]
        wrong, losses = torch.stack([look.column(epoch, 4) for epoch in (1, 2, 3)]).double().unbind(2)
        mine = found.half == direction
        np.testing.assert_allclose(found.scores["forgotten_share"][mine], wrong.mean(0))
        np.testing.assert_allclose(found.scores["forgetting_loss"][mine], losses.mean(0))


def test_a_stage_ends_after_so_many_epochs_in_a_row_at_the_accuracy_asked_for():
    patience, net = 3, quick_net(width=64, batch_size=8, max_epochs=60)
    found = split(net, of_digits(60), stop_at=1.0, patience=patience)
    for half in (0, 1):
        first = [r["train_accuracy"] for r in found.history if (r["half"], r["stage"]) == (half, 1)]
        assert len(first) < 60
        assert first[-patience:] == [1.0] * patience
        reached = [all(a == 1 for a in first[i : i + patience]) for i in range(len(first) - patience)]
        assert not any(reached)
    times = -found.scores["forgetting_time"]
    assert (times == 61).any()  # never forgotten: one more than planned, however early the stage ended


def test_a_class_of_one_sample_has_a_score_too():
    X, y = digits(60)
    y = np.where(np.arange(60) == 7, 99, y)
    found = split(quick_net(n_classes=11), as_samples(X, y))
    assert np.isfinite(found.scores["forgetting_loss"]).all()


def test_progress_tells_halves_and_stages_apart(capsys):
    split(quick_net(max_epochs=1), of_digits(), progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert [f"half {h} of 2, {stage}" in err for h in (1, 2) for stage in ("learning", "forgetting")] == [True] * 4
