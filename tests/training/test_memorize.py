"""What may be passed as a net, how a training ends, and that nothing of the caller's is touched."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
from skorch import NeuralNet, NeuralNetClassifier
from skorch.callbacks import Callback
from torch import nn

from curvdetect import memorizing_net
from curvdetect.data.batches import BatchLoader
from curvdetect.data.samples import as_samples
from curvdetect.signals.dynamics import Loss
from curvdetect.signals.evaluated import Curvature, Inconfidence
from curvdetect.training.nets import MLP, ResNet, compact_resnet
from tests.cases import digits, quick_net
from tests.training.trainings import train

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Small(nn.Sequential):
    def __init__(self, last=None):
        super().__init__(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10), *([] if last is None else [last]))


class Demanding(nn.Linear):
    def __init__(self, n_classes):
        super().__init__(64, n_classes)


def _samples(n=100, shape=(64,), labels=None):
    X, y = digits(n)
    return as_samples(X.reshape(n, *shape), y if labels is None else labels)


def _curvature():
    return Curvature(h=1e-2, n=1, power=1, seed=3)


ACCEPTED = {
    "none_for_columns": (lambda: None, (64,), MLP),
    "none_for_pictures": (lambda: memorizing_net(None, augment=True), (1, 8, 8), ResNet),
    "none_for_gray_pictures": (lambda: None, (8, 8), ResNet),
    "name": (lambda: "resnet-mnist", (1, 8, 8), ResNet),
    "skorch_classifier": (lambda: NeuralNetClassifier(Small, criterion=nn.CrossEntropyLoss), (64,), Small),
    "module_class": (lambda: Small, (64,), Small),
    "module": (Small, (64,), Small),
    "callbacks_disabled": (lambda: quick_net(callbacks="disable"), (64,), MLP),
}


@pytest.mark.parametrize(("net", "shape", "module"), ACCEPTED.values(), ids=ACCEPTED)
def test_net_may_be(capsys, net, shape, module):
    loss, curvature = Loss(), _curvature()
    run = train(net(), _samples(30, shape), [loss, curvature], max_epochs=2)
    assert isinstance(run.net.module_, module)
    assert len(run.history) == 2
    assert run.stop_reason == "max_epochs"
    assert np.isfinite(loss.scores()).all()
    assert (curvature.scores() > 0).all()
    assert capsys.readouterr().out == ""


def test_every_kind_of_output_trains_and_scores_alike():
    torch.manual_seed(0)
    body = Small()
    nets = [
        NeuralNetClassifier(body, criterion=nn.CrossEntropyLoss, max_epochs=3),
        NeuralNetClassifier(nn.Sequential(body, nn.Softmax(1)), max_epochs=3),
        NeuralNet(nn.Sequential(body, nn.LogSoftmax(1)), nn.NLLLoss, max_epochs=3),
        NeuralNet(body, nn.CrossEntropyLoss, max_epochs=3),
    ]
    found = []
    for net in nets:
        signals = Loss(), _curvature(), Inconfidence()
        train(net, _samples(), signals)
        found.append([s.scores() for s in signals])
    for scores in found[1:]:
        np.testing.assert_allclose(scores, found[0], rtol=1e-3, atol=1e-4)


REFUSED = {
    "skorch_class": (
        NeuralNetClassifier,
        TypeError,
        r"class NeuralNetClassifier. Pass an instance: net=NeuralNetCl",
    ),
    "logits_for_nll": (
        lambda: NeuralNetClassifier(Small),
        ValueError,
        "NLLLoss.*criterion=torch.nn.CrossEntropyLoss",
    ),
    "base_logits_for_nll": (
        lambda: NeuralNet(Small, nn.NLLLoss),
        ValueError,
        "log-probabilities.*CrossEntropyLoss",
    ),
    "probabilities_for_base_nll": (
        lambda: NeuralNet(Small, nn.NLLLoss, module__last=nn.Softmax(1)),
        ValueError,
        "wants log-probabilities",
    ),
    "too_few_outputs": (
        lambda: nn.Linear(64, 9),
        ValueError,
        "net puts out 9 logits, but y holds 10 classes",
    ),
    "pixelwise_output": (
        lambda: nn.Sequential(nn.Linear(64, 64), nn.Unflatten(1, (8, 8))),
        ValueError,
        r"net puts out a tensor of shape \(64, 8, 8\)",
    ),
    "class_with_arguments": (
        Demanding,
        TypeError,
        r"net=Demanding can't be made without arguments.*n_classes",
    ),
    "number": (3, TypeError, "net must be None, a name, a skorch NeuralNet, .* got int"),
    "function": (
        lambda: compact_resnet,
        TypeError,
        r"got the function compact_resnet: call it, net=compact_resnet\(\.\.\.\)",
    ),
}


@pytest.mark.parametrize(("net", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_net_may_not_be(net, error, message):
    made = net if isinstance(net, type) or not callable(net) else net()
    with pytest.raises(error, match=message):
        train(made, _samples(), [Loss()], max_epochs=1)


def test_the_default_network_is_of_float32_whatever_torch_makes_by_default():
    torch.set_default_dtype(torch.float64)
    try:
        run = train(None, _samples(), [_curvature()], max_epochs=1)
    finally:
        torch.set_default_dtype(torch.float32)
    assert {weight.dtype for weight in run.net.module_.parameters()} == {torch.float32}


class Counting(Callback):
    def __init__(self, count=0):
        self.count = count

    def on_batch_end(self, net, **kwargs):
        self.count += 1


@pytest.mark.parametrize("make", [lambda: Small().eval(), lambda: quick_net(verbose=3)], ids=["module", "recipe"])
def test_callers_net_stays_as_it_was(make):
    net = make()
    module = net if isinstance(net, nn.Module) else net.module
    weights, mode = copy.deepcopy(module.state_dict()), module.training
    run = train(net, _samples(), [Loss()], max_epochs=1)
    assert module is not run.net.module_
    assert all(torch.equal(weights[key], value) for key, value in module.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in module.parameters())
    assert module.training is mode


def test_callers_skorch_net_keeps_its_parameters():
    net = NeuralNetClassifier(
        Small, criterion=nn.CrossEntropyLoss, callbacks=[("mine", Counting())], verbose=1, device="cpu"
    )
    before = dict(vars(net))
    run = train(net, _samples(), [Loss()], max_epochs=2)
    assert vars(net).keys() == before.keys()
    assert [name for name, value in vars(net).items() if value is not before[name]] == []
    assert not net.initialized_
    assert net.callbacks[0][1].count == 0
    assert dict(run.net.callbacks_)["mine"].count > 0


def test_net_trains_where_it_is_told_to(device):
    net, loss, curvature = quick_net(), Loss(), _curvature()
    run = train(net, _samples(), [loss, curvature], device=device, seed=0)
    assert {p.device.type for p in run.net.module_.parameters()} == {device.type}
    assert {p.device.type for p in net.module.parameters()} == {"cpu"}
    assert np.isfinite([loss.scores(), curvature.scores()]).all()


def test_trained_net_pickles_is_free_of_the_tracker_and_its_accuracy_is_reported():
    samples = _samples()
    run = train(quick_net(), samples, [Loss(), _curvature()])
    assert run.net.iterator_train is BatchLoader
    assert "tracker" not in dict(run.net.callbacks_)
    predicted = pickle.loads(pickle.dumps(run.net)).predict(samples.inputs.tensor)
    assert np.array_equal(predicted, run.net.predict(samples.inputs.tensor))
    assert run.train_accuracy == np.mean(predicted == samples.labels.numpy())
