"""Confident learning: out-of-fold probabilities, and cleanlab's own numbers on them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from skorch import NeuralNetClassifier
from torch import nn

from curvdetect import ConfidentLearningDetector
from curvdetect.data.samples import as_samples
from curvdetect.detectors.confident import _predicted
from curvdetect.metrics import auroc
from curvdetect.signals.signal import Plan
from curvdetect.training.memorize import memorize
from curvdetect.training.nets import MLP
from curvdetect.training.settings import Settings
from tests.cases import digits, digits_net, noisy_digits, quick_net
from tests.pretended import DEVICE, pretended

METHODS = ["self_confidence", "normalized_margin"]


def _detector(net=None, **params):
    return ConfidentLearningDetector(net or quick_net(), **{"cv": 3, "device": "cpu", "random_state": 0, **params})


@pytest.fixture(scope="module")
def run():
    """A detector fitted on digits with one wrong label in ten, the given labels, the mask and the right labels."""
    X, labels, mask, true = noisy_digits(600)
    return _detector(digits_net(), q=60).fit(X, labels), labels, mask, true


def test_wrong_labels_rank_before_right_ones(run):
    detector, _, mask, true = run
    assert detector.pred_probs_.shape == (600, 10)
    assert detector.pred_probs_.min() >= 0
    # about two points below the worst of five seeds
    bounds = {"self_confidence": 0.97, "normalized_margin": 0.96, "flags": 0.96}
    found = {name: auroc(mask, scores) for name, scores in detector.signal_scores_.items()}
    assert found.keys() == bounds.keys()
    assert [name for name, bound in bounds.items() if found[name] <= bound] == []
    assert (detector.suggested_labels_[mask] == true[mask]).mean() > 0.75


def test_scores_and_flags_are_cleanlabs_own(run):
    detector, labels, *_ = run
    for method in METHODS:
        expected = get_label_quality_scores(labels, detector.pred_probs_, method=method)
        assert np.array_equal(detector.signal_scores_[method], 1 - expected)
    issues = find_label_issues(labels, detector.pred_probs_, n_jobs=1)
    assert np.array_equal(detector.label_issues_, issues)
    assert detector.predict().sum() == 60 != issues.sum()


class Memory(nn.Module):
    """A net that counts how often it was trained on each sample, whose number is its only column."""

    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(2))
        self.register_buffer("seen", torch.zeros(60))

    def forward(self, x):
        index = x[:, 0].long()
        if self.training:
            self.seen[index] += 1
        return torch.stack([self.seen[index], torch.zeros(len(x))], 1) + 0 * self.bias


@pytest.mark.parametrize("cv", [2, 5])
def test_no_fold_is_predicted_by_a_net_that_trained_on_it(cv):
    # logits tell how often the net was trained on a sample: never, for which both classes get one half
    X, labels = np.arange(60.0)[:, None], np.arange(60) % 2
    net = NeuralNetClassifier(Memory, criterion=nn.CrossEntropyLoss, max_epochs=3)
    detector = _detector(net, cv=cv).fit(X, labels)
    assert np.array_equal(detector.pred_probs_, np.full((60, 2), 0.5))


def test_probabilities_sum_to_one_whatever_the_net_puts_out():
    probable = NeuralNetClassifier(nn.Sequential(MLP(64, 10, 16), nn.Softmax(1)), max_epochs=1)
    for net in (probable, quick_net(n_classes=14, max_epochs=1)):  # of probabilities, and of more than there are
        detector = _detector(net).fit(*digits(90))
        assert detector.pred_probs_.shape == (90, 10)
        np.testing.assert_allclose(detector.pred_probs_.sum(1), 1, rtol=1e-6)


@pytest.mark.filterwarnings("ignore:The least populated class:UserWarning")
@pytest.mark.filterwarnings("ignore:May not flag all label issues:UserWarning")
def test_probabilities_stay_in_the_column_of_their_class_where_a_fold_lacks_one():
    # the lacking class comes first, so that any shift of columns would be seen
    labels = np.repeat([1, 2], 30)
    labels[7] = 0
    X = np.eye(3)[labels] + np.random.default_rng(0).normal(0, 0.1, (60, 3))
    names = np.array(["alone", "high", "low"], dtype=object)[labels]
    detector = _detector(quick_net(3, 3, max_epochs=20, batch_size=8)).fit(X, names)
    rest = labels > 0
    assert np.array_equal(detector.pred_probs_.argmax(1)[rest], labels[rest])
    assert list(detector.classes_) == ["alone", "high", "low"]
    assert np.isfinite(detector.scores_).all()
    assert detector.suggested_labels_[7] != "alone"


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_probabilities_are_made_double_on_the_host_alone(monkeypatch):
    # as the plan has it for such a device
    monkeypatch.setattr(Plan, "zeros", lambda plan, *shape, dtype=torch.float64: torch.zeros(shape, dtype=dtype))
    samples = as_samples(np.zeros((8, 64)), np.arange(8) % 2)
    with pretended(doubles=False):
        run = memorize(
            samples.only(torch.as_tensor(np.arange(6))), [], Settings(quick_net(max_epochs=1), DEVICE, seed=0)
        )
        assert _predicted(run, samples, np.arange(6, 8)).dtype == np.float64


@pytest.mark.filterwarnings("ignore:The least populated class:UserWarning")
def test_a_class_of_one_sample_is_warned_of_by_its_name():
    X, y = digits(60)
    names = np.array([f"digit {label}" for label in y], dtype=object)
    names[7] = "astray"
    pred_probs = np.full((60, 11), 1 / 11)
    with pytest.warns(UserWarning, match="y has classes of one sample, which cleanlab never flags: 'astray'") as caught:
        detector = ConfidentLearningDetector(device="cpu").fit(X, names, pred_probs=pred_probs)
    assert not [warning for warning in caught if "min_examples_per_class" in str(warning.message)]
    assert not detector.label_issues_[7]
