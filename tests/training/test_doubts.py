"""What makes a ranking doubtful is said, before a training and after it."""

from __future__ import annotations

import copy
import warnings
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier
from torch import nn
from torch.nn import functional as F
from torch.utils.data import BatchSampler, DataLoader, WeightedRandomSampler

from curvdetect import memorizing_net
from curvdetect.data.samples import as_samples
from curvdetect.training.doubts import judge, known_labels
from tests.cases import digits, noisy_digits
from tests.training.trainings import split, train

CPU = torch.device("cpu")
classifier = partial(NeuralNetClassifier, criterion=nn.CrossEntropyLoss, batch_size=32)


def _warnings(net, X, y, **options):
    """Return what a training warns of, other than of what it did not reach."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train(net, as_samples(X, np.asarray(y)), [], device=CPU, seed=0, max_epochs=1, **options)
    return [str(warning.message) for warning in caught if warning.category is UserWarning]


def _eights(n=400):
    X, y = digits(n)
    return X, np.where(y == 8, "eight", "other")


def _weights(labels, eight):
    return torch.as_tensor(np.where(labels == "eight", eight, 1.0))


class Focal(nn.Module):
    def __init__(self, alpha):
        super().__init__()
        self.register_buffer("alpha", alpha)

    def forward(self, logits, y):
        losses = F.cross_entropy(logits, y, reduction="none")
        return (self.alpha[y] * (1 - (-losses).exp()) ** 2 * losses).mean()


class Balanced(DataLoader):
    """Draw classes evenly."""

    def __init__(self, dataset, **options):
        labels = getattr(dataset, "dataset", dataset).labels
        weights = 1 / torch.bincount(labels)[labels]
        super().__init__(dataset, sampler=WeightedRandomSampler(weights, len(labels)), **options)


def _sampled(labels, eight):
    return WeightedRandomSampler(_weights(labels, eight), len(labels))


def _in_batches(labels, eight):
    return BatchSampler(_sampled(labels, eight), 32, False)


WEIGHTED = {
    "criterion": lambda y, w: classifier(nn.Linear(64, 2), criterion__weight=torch.tensor([w, 1.0])),
    "criterion of one's own": lambda y, w: classifier(
        nn.Linear(64, 2), criterion=Focal, criterion__alpha=torch.tensor([w, 1.0])
    ),
    "binary": lambda y, w: NeuralNetBinaryClassifier(nn.Linear(64, 1), criterion__pos_weight=torch.tensor(1 / w)),
    "sampler": lambda y, w: classifier(nn.Linear(64, 2), iterator_train__sampler=_sampled(y, w)),
    "batch sampler": lambda y, w: NeuralNetClassifier(
        nn.Linear(64, 2),
        criterion=nn.CrossEntropyLoss,
        iterator_train=_OfBatches,
        iterator_train__batch_sampler=_in_batches(y, w),
    ),
}


class _OfBatches(DataLoader):
    def __init__(self, dataset, batch_size=None, **options):
        super().__init__(dataset, **options)


@pytest.mark.parametrize("net", WEIGHTED.values(), ids=WEIGHTED)
def test_weights_of_classes_are_warned_of_where_they_are_large(net):
    X, y = _eights()
    (said,) = _warnings(net(y, 9.0), X, y)
    assert "gives class 'eight' 9 times the weight of class 'other'" in said
    assert "rank low and are missed" in said
    assert len(said) <= 400
    assert _warnings(net(y, 1.5), X, y) == []


def test_a_loader_that_draws_classes_evenly_is_warned_of_where_they_are_uneven():
    X, y = _eights()
    net = classifier(nn.Linear(64, 2), iterator_train=Balanced)
    (said,) = _warnings(net, X, y)
    assert "net's sampler WeightedRandomSampler gives class 'eight'" in said
    assert _warnings(net, X, np.arange(len(X)) % 2) == []


def _trained(X, y, n_outputs=10, steps=150):
    """Return a net that knows labels by heart."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(X.shape[1], 128), nn.ReLU(), nn.Linear(128, n_outputs))
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(net(torch.as_tensor(X)), torch.as_tensor(y)).backward()
        optimizer.step()
    return net


def test_a_net_that_knows_the_labels_beforehand_is_warned_of():
    X, labels, _, y = noisy_digits(300)
    net = _trained(X, labels)
    for made in (net, classifier(net), classifier(lambda: copy.deepcopy(net))):
        (said,) = _warnings(made, X, labels)
        assert "net gives 64 of 64 samples their given labels before it is trained" in said
        assert len(said) <= 400
    truth = _trained(X, y)
    new_head = nn.Sequential(*net[:2], nn.Linear(128, 10))
    for made in (truth, new_head, nn.Linear(64, 10), None):
        assert _warnings(made, X, labels) == []


def test_the_second_stage_of_a_second_split_may_know_labels():
    X, y = make_blobs(100, n_features=8, centers=5, random_state=0)
    samples = as_samples(X, y)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        options = {"first_epochs": 10, "second_epochs": 1, "device": CPU, "seed": 0}
        learned = split(memorizing_net(nn.Linear(8, 5), batch_size=10), samples, **options)
    assert learned.train_accuracy == 1.0
    assert not [warning for warning in caught if "before it is trained" in str(warning.message)]


@pytest.mark.parametrize("n_classes", [2, 3])
def test_an_untrained_net_is_not_taken_for_a_trained_one_by_luck(n_classes):
    lucky = 0
    for seed in range(60):
        X, y = (torch.as_tensor(part) for part in make_blobs(40, centers=n_classes, random_state=seed))
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            logits = nn.Linear(2, n_classes)(X.float()).detach()
        lucky += bool((logits.argmax(1) == y).all())
        assert known_labels(X, y, logits, n_classes) is None
    assert lucky


def test_few_classes_known_by_heart_are_told_from_luck_by_the_wrong_ones_among_them():
    X, y = make_blobs(60, n_features=8, centers=2, random_state=0)
    labels = np.where(np.arange(60) % 10, y, 1 - y)
    (said,) = _warnings(_trained(X.astype(np.float32), labels, 2, steps=300), X, labels)
    assert "60 of 60 samples" in said


def history(*accuracies):
    return [{"epoch": i + 1, "train_accuracy": accuracy} for i, accuracy in enumerate(accuracies)]


def told(accuracies, shape, n_epochs=20, **options):
    samples = as_samples(np.zeros(shape, dtype=np.float32), np.arange(shape[0]) % 2)
    judge(history(*accuracies), accuracies[-1], samples, n_epochs, **options)


def test_what_is_said_names_what_was_seen_and_the_way_out():
    with pytest.warns(ConvergenceWarning, match=r"rose to 0\.90 in epoch 2 and was 0\.20 in the last.*net__lr"):
        told((0.2, 0.9, 0.2), (10, 3))
    with pytest.warns(ConvergenceWarning, match=r"accuracy 0\.5000 after 2 epochs.*raise max_epochs"):
        told((0.2, 0.5), (10, 3))
    with pytest.warns(ConvergenceWarning, match=r"12 columns and 10 rows.*OutOfBagDetector.*SelectKBest"):
        told((0.9, 1.0), (10, 12))


@pytest.mark.parametrize("accuracies", [(0.2, 0.9, 0.85), (0.2, 0.5), (0.9, 1.0)])
def test_of_an_end_that_was_not_planned_nothing_is_said_but_a_deep_fall(accuracies, recwarn):
    told(accuracies, (10, 12), planned=False)
    assert not recwarn.list
    with pytest.warns(ConvergenceWarning, match="fell apart"):
        told((0.2, 0.9, 0.7), (10, 12), planned=False)


def test_other_samples_and_late_epochs_may_be_memorized_at_once(recwarn):
    told((0.9, 1.0), (10, 10))
    told((0.9, 1.0), (10, 1, 30))
    told((0.9, 0.98, 0.99), (10, 12))  # after a tenth of the epochs
    told((0.2, 0.9, 0.5, 1.0), (10, 3))  # a fall that was made up for
    assert not recwarn.list
