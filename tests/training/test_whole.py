"""A skorch net of several modules is measured, kept and taken up as a whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback
from torch import nn

from curvdetect import CurvatureNoiseDetector, SSFTDetector, load, save
from tests.cases import noisy_digits

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:the detector was saved without net"
)
X, LABELS, *_ = noisy_digits(120)
SETTINGS = {"max_epochs": 3, "device": "cpu", "random_state": 0}


class InTwo(NeuralNetClassifier):
    """One module for features, another for what is made of them."""

    def initialize_module(self):
        super().initialize_module()
        self.head_ = nn.Sequential(nn.BatchNorm1d(16), nn.Dropout(0.5), nn.Linear(16, 10))
        return self

    def infer(self, x, **params):
        return self.head_(super().infer(x, **params))


class InOne(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(64, 16), nn.BatchNorm1d(16), nn.Dropout(0.5), nn.Linear(16, 10))


def _net(kind=InTwo, **options):
    module = {"module": nn.Linear, "module__in_features": 64, "module__out_features": 16}
    settings = {"criterion": nn.CrossEntropyLoss, "lr": 0.1, "iterator_train__shuffle": True, **options}
    return InTwo(**module, **settings) if kind is InTwo else NeuralNetClassifier(InOne, **settings)


def test_scores_snapshots_and_files_are_those_of_the_same_net_in_one_module(tmp_path):
    two, one = (
        CurvatureNoiseDetector(_net(net), keep_snapshots=2, **SETTINGS).fit(X[:100], LABELS[:100])
        for net in (InTwo, InOne)
    )
    np.testing.assert_allclose(two.scores_, one.scores_, rtol=1e-3)
    before = {name: value.clone() for name, value in two.net_.head_.state_dict().items()}
    scores = two.score_samples(X[100:], LABELS[100:])
    np.testing.assert_allclose(scores, one.score_samples(X[100:], LABELS[100:]), rtol=1e-3)
    assert all(torch.equal(value, before[name]) for name, value in two.net_.head_.state_dict().items())
    save(two, tmp_path / "saved")
    again = load(tmp_path / "saved", net=_net())
    assert np.array_equal(again.score_samples(X[100:], LABELS[100:]), scores)
    assert np.array_equal(again.net_.predict(X), two.net_.predict(X))


def test_the_second_stage_of_second_split_forgetting_starts_from_all_of_it():
    class Watch(Callback):
        ends, starts = [], []

        def on_batch_begin(self, net, training=False, **kwargs):
            if training and len(net.history) == 1 and len(net.history[-1]["batches"]) == 1:
                Watch.starts.append(net.head_[2].weight.detach().clone())

        def on_train_end(self, net, **kwargs):
            Watch.ends.append(net.head_[2].weight.detach().clone())

    SSFTDetector(_net(callbacks=[Watch()]), **SETTINGS).fit(X, LABELS)
    for half in (0, 2):
        assert torch.equal(Watch.ends[half], Watch.starts[half + 1])
