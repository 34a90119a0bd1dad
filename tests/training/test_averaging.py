"""The mean weights of an epoch, with which pictures are scored."""

from __future__ import annotations

import copy
from contextlib import suppress

import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from curvdetect.signals.signal import MeanOverEpochs
from curvdetect.training.averaging import MeanWeights
from curvdetect.training.recipe import memorizing_net
from tests.training.trainings import of_digits, train


def small():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))


class LogitOfFirst(MeanOverEpochs):
    name, stage = "logit_of_first", "scoring"

    def value(self, batch):
        return batch.logits[:, 0]


class Shared(dict):
    """A dictionary that copies of a callback go on writing to."""

    def __deepcopy__(self, memo):
        return self


class States(Callback):
    """Keeps the weights after each batch, by epoch."""

    def __init__(self, kept):
        self.kept = kept

    def on_batch_end(self, net, training, **kwargs):
        state = {name: value.clone() for name, value in net.module_.state_dict().items()}
        self.kept.setdefault(len(net.history), []).append(state)


def trained(shape=(1, 8, 8), module=None, **settings):
    kept, signal = Shared(), LogitOfFirst()
    net = memorizing_net(module, batch_size=16, callbacks=[States(kept)])
    samples = of_digits(64, shape)
    run = train(net, samples, [signal], max_epochs=3, keep_snapshots=9, **settings)
    return run, signal.scores(), kept, samples.inputs.tensor


def means(kept):
    """Return the mean state of each epoch; whole numbers as they are at its end."""
    for _, states in sorted(kept.items()):
        yield {
            name: torch.stack([s[name] for s in states]).mean(0) if value.is_floating_point() else value
            for name, value in states[-1].items()
        }


@torch.no_grad()
def logits(states, X, module):
    found, module = [], copy.deepcopy(module)
    for state in states:
        module.load_state_dict(state)
        found.append(module.eval()(X)[:, 0])
    return torch.stack(found).mean(0).double().numpy()


def test_pictures_are_scored_with_the_mean_weights_of_their_epochs_and_trained_as_without():
    run, scores, kept, X = trained()
    assert [record["scored"] for record in run.history] == [True] * 3
    assert scores == pytest.approx(logits(means(kept), X, run.net.module_), rel=1e-4, abs=1e-4)
    plain, others, _, _ = trained(every=1)
    assert scores != pytest.approx(others, rel=1e-3, abs=1e-3)
    state, expected = run.net.module_.state_dict(), plain.net.module_.state_dict()
    assert all(torch.equal(state[name], value) for name, value in expected.items())


def test_snapshots_are_what_was_scored():
    run, scores, _, X = trained()
    assert scores == pytest.approx(
        logits([one.load() for one in run.snapshots], X, run.net.module_), rel=1e-4, abs=1e-4
    )


@pytest.mark.parametrize(
    ("shape", "module", "every"),
    [((64,), None, "auto"), ((1, 8, 8), None, 1), ((1, 8, 8), small(), "auto")],
    ids=["rows", "a_distance", "own_net"],
)
def test_all_else_is_scored_with_the_weights_at_the_ends_of_epochs(shape, module, every):
    run, scores, kept, X = trained(shape, module, every=every)
    ends = [states[-1] for _, states in sorted(kept.items())]
    assert scores == pytest.approx(logits(ends, X, run.net.module_), rel=1e-4, abs=1e-4)


def test_own_weights_come_back_bit_for_bit_whatever_happens():
    module = small()
    own = {name: value.clone() for name, value in module.state_dict().items()}
    mean = MeanWeights(module)
    mean.add()
    with torch.no_grad():
        module[4].weight.add_(1)
    mean.add()
    now = module[4].weight.detach().clone()
    with suppress(KeyError), mean.in_place():
        assert torch.allclose(module[4].weight, own["4.weight"] + 0.5)
        raise KeyError
    assert torch.equal(module[4].weight, now)
