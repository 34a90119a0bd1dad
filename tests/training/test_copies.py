"""A net of one's own is trained as a copy, and what has none is named."""

from __future__ import annotations

import threading
from functools import partial

import pytest
import torch
from skorch import NeuralNetClassifier
from torch import nn
from torch.nn.utils import prune

from curvdetect import LossDetector
from curvdetect.data.samples import as_samples
from tests.cases import digits
from tests.training.trainings import train

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:.*(torch.jit|weight_norm).* is deprecated:FutureWarning"),
]
once = partial(train, max_epochs=1)
X, Y = digits(100)


class Locked(nn.Linear):
    def __init__(self):
        super().__init__(64, 10)
        self.lock = threading.Lock()


WITHOUT = {
    "old weight norm": (lambda: nn.utils.weight_norm(nn.Linear(64, 10)), "net keeps 'weight' as a computed tensor"),
    "pruned": (
        lambda: nn.Sequential(prune.l1_unstructured(nn.Linear(64, 10), "weight", 0.5)),
        "'0.weight' as a computed tensor.*prune.remove",
    ),
    "lock": (Locked, "net can't be copied .*lock.*Pass the class of its module"),
    "scripted": (lambda: torch.jit.script(nn.Linear(64, 10)), "net holds a scripted or traced module"),
}


@pytest.mark.parametrize(("module", "message"), WITHOUT.values(), ids=WITHOUT)
def test_what_has_no_copy_is_named_with_the_way_out(module, message):
    for net in (module(), NeuralNetClassifier(module())):
        with pytest.raises(ValueError, match=message) as caught:
            once(net, as_samples(X, Y), [])
        assert len(str(caught.value)) <= 400


def test_what_is_made_for_the_training_needs_no_copy():
    net = NeuralNetClassifier(Locked, criterion=nn.CrossEntropyLoss)
    assert len(once(net, as_samples(X, Y), []).history) == 1


def test_unseen_samples_are_measured_by_a_net_of_a_local_class():
    class Local(nn.Sequential):
        pass

    net = Local(nn.Linear(64, 10))
    detector = LossDetector(net, max_epochs=2, keep_snapshots=1, device="cpu", random_state=0)
    assert detector.fit(X[:80], Y[:80]).score_samples(X[80:], Y[80:]).shape == (20,)
