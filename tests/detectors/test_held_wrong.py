"""Ways of holding a detector that once went wrong in silence."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, EpochScoring
from torch import nn
from torch.utils.data import DataLoader

from curvdetect import InputGradientDetector, LossDetector, memorizing_net
from curvdetect.training.recipe import Schedule
from tests.cases import Items

N = 64
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 5)).astype(np.float32)
Y = np.arange(N) % 3
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def fit(net=None, X=X, y=Y, kind=LossDetector, **params):
    return kind(net, **{"max_epochs": 2, "device": "cpu", "random_state": 0, **params}).fit(X, y)


class CtrlC(Callback):
    def on_batch_end(self, net, **kwargs):
        raise KeyboardInterrupt


def test_a_refit_cut_short_before_any_score_leaves_the_first_fit_whole():
    net = memorizing_net(nn.Linear(5, 3), callbacks=[CtrlC()])
    detector = fit(max_epochs=3)
    before = {name: vars(detector)[name] for name in vars(detector) if name.endswith("_")}
    detector.net = net
    with pytest.raises(KeyboardInterrupt):
        detector.fit(X[:40], Y[:40])
    assert all(vars(detector)[name] is value for name, value in before.items() if name != "n_features_in_")


def test_callbacks_of_the_user_are_added_to_the_schedule():
    net = memorizing_net(nn.Linear(5, 3), callbacks=[EpochScoring("accuracy", name="acc", on_train=True)])
    trained = fit(net).net_
    assert [type(c[1] if isinstance(c, tuple) else c) for c in net.callbacks] == [Schedule, EpochScoring]
    assert all("acc" in record for record in trained.history)


def test_a_fitted_detector_does_not_carry_the_schedule_s_optimizer():
    net = memorizing_net(nn.Linear(5, 3), schedule=lambda n_epochs: lambda epoch: 1.0)
    assert not any("policy_" in vars(c) for _, c in fit(net).net_.callbacks_)
    assert np.array_equal(pickle.loads(pickle.dumps(fit())).scores_, fit().scores_)


def test_masked_samples_and_labels_of_a_dataset_that_are_no_class_are_refused():
    tensor, masked = torch.from_numpy(X), np.ma.masked_array(Y, np.arange(N) == 3)
    for items, message in (
        (zip(tensor, masked, strict=True), r"the label of X\[3\] is a masked array"),
        (zip(np.ma.masked_array(X, X[0, 0] == X), Y, strict=True), r"X\[0\] is a masked array"),
        (zip(tensor, torch.eye(3)[Y], strict=True), r"X\[0\] yields a label of shape"),
        ([(row, np.array([0, 1])) for row in tensor], r"X\[0\] yields a label of shape"),
    ):
        with pytest.raises(ValueError, match=message):
            fit(X=Items(items), y=None)


WRONG = {
    "augmented table": (lambda: fit(memorizing_net(nn.Linear(5, 3), augment=True)), "crops and flips pictures"),
    "workers of ours": (
        lambda: memorizing_net(nn.Linear(5, 3), iterator_train__num_workers=2),
        "iterator_train=torch.utils.data.DataLoader",
    ),
    "no batch at all": (
        lambda: fit(
            memorizing_net(nn.Linear(5, 3), batch_size=100, iterator_train=DataLoader, iterator_train__drop_last=True)
        ),
        "yields no batch",
    ),
    "lazy layers": (lambda: fit(nn.Sequential(nn.LazyLinear(3))), "lazy layers"),
    "beyond float32": (lambda: fit(X=np.c_[X, np.full(N, 1e39)]), "too large for float32"),
    "one logit": (lambda: fit(nn.Sequential(nn.Linear(5, 1), nn.Flatten(0))), "two of them for two classes"),
}


@pytest.mark.parametrize(("hold", "message"), WRONG.values(), ids=WRONG)
def test_what_cannot_work_is_said_in_words(hold, message):
    with pytest.raises(ValueError, match=message):
        hold()


@pytest.mark.parametrize("options", [{"criterion__weight": torch.ones(3)}, {"criterion__label_smoothing": 0.1}])
def test_an_input_gradient_of_a_weighted_criterion_is_warned_of(options):
    with pytest.warns(UserWarning, match="plain CrossEntropyLoss"):
        fit(memorizing_net(nn.Linear(5, 3), **options), kind=InputGradientDetector)
