"""What may be passed as a net, that it is trained as a copy, and that nothing of the caller's is touched."""

from __future__ import annotations

import copy
import pickle
import threading

import numpy as np
import pytest
import torch
from skorch import NeuralNet, NeuralNetClassifier
from skorch.callbacks import Callback
from torch import nn
from torch.nn.utils import prune

from curvdetect import LossDetector, memorizing_net
from curvdetect.data.batches import BatchLoader
from curvdetect.signals.dynamics import Loss
from curvdetect.signals.evaluated import Inconfidence
from curvdetect.training.nets import MLP, ResNet, compact_resnet
from tests.cases import digits, quick_net
from tests.training.trainings import of_digits, quick_curvature, train

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:.*(torch.jit|weight_norm).* is deprecated:FutureWarning"),
]


class Small(nn.Sequential):
    def __init__(self, last=None):
        super().__init__(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10), *([] if last is None else [last]))


class Demanding(nn.Linear):
    def __init__(self, n_classes):
        super().__init__(64, n_classes)


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
    loss, curvature = Loss(), quick_curvature()
    run = train(net(), of_digits(30, shape), [loss, curvature], max_epochs=2)
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
        signals = Loss(), quick_curvature(), Inconfidence()
        train(net, of_digits(), signals)
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
        train(made, of_digits(), [Loss()], max_epochs=1)


def test_the_default_network_is_of_float32_whatever_torch_makes_by_default():
    torch.set_default_dtype(torch.float64)
    try:
        run = train(None, of_digits(), [quick_curvature()], max_epochs=1)
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
    run = train(net, of_digits(), [Loss()], max_epochs=1)
    assert module is not run.net.module_
    assert all(torch.equal(weights[key], value) for key, value in module.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in module.parameters())
    assert module.training is mode


def test_callers_skorch_net_keeps_its_parameters():
    net = NeuralNetClassifier(
        Small, criterion=nn.CrossEntropyLoss, callbacks=[("mine", Counting())], verbose=1, device="cpu"
    )
    before = dict(vars(net))
    run = train(net, of_digits(), [Loss()], max_epochs=2)
    assert vars(net).keys() == before.keys()
    assert [name for name, value in vars(net).items() if value is not before[name]] == []
    assert not net.initialized_
    assert net.callbacks[0][1].count == 0
    assert dict(run.net.callbacks_)["mine"].count > 0


def test_trained_net_pickles_is_free_of_the_tracker_and_its_accuracy_is_reported():
    samples = of_digits()
    run = train(quick_net(), samples, [Loss(), quick_curvature()])
    assert run.net.iterator_train is BatchLoader
    assert "tracker" not in dict(run.net.callbacks_)
    predicted = pickle.loads(pickle.dumps(run.net)).predict(samples.inputs.tensor)
    assert np.array_equal(predicted, run.net.predict(samples.inputs.tensor))
    assert run.train_accuracy == np.mean(predicted == samples.labels.numpy())


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
            train(net, of_digits(), max_epochs=1)
        assert len(str(caught.value)) <= 400


def test_what_is_made_for_the_training_needs_no_copy():
    net = NeuralNetClassifier(Locked, criterion=nn.CrossEntropyLoss)
    assert len(train(net, of_digits(), max_epochs=1).history) == 1


def test_unseen_samples_are_measured_by_a_net_of_a_local_class():
    class Local(nn.Sequential):
        pass

    X, Y = digits(100)
    net = Local(nn.Linear(64, 10))
    detector = LossDetector(net, max_epochs=2, keep_snapshots=1, device="cpu", random_state=0)
    assert detector.fit(X[:80], Y[:80]).score_samples(X[80:], Y[80:]).shape == (20,)
