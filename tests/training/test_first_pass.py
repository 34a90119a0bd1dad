"""Nets of one's own: what they may put out and take, and what is said where a batch can't be trained on."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from skorch import NeuralNet, NeuralNetBinaryClassifier, NeuralNetClassifier
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from curvdetect import LossDetector, load, memorizing_net, save
from curvdetect.data.samples import as_samples
from curvdetect.signals.dynamics import Loss, Margin
from curvdetect.training import memorize as memorizing
from curvdetect.training.own_net import takes_whole_numbers
from tests.cases import digits, untouched_rng
from tests.training.trainings import of_digits, quick_curvature, train

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
once = partial(train, max_epochs=1)
cross_entropy = partial(NeuralNetClassifier, criterion=nn.CrossEntropyLoss, lr=0.1, batch_size=32)
Outputs = namedtuple("Outputs", ["first", "second"])


def _body(n_out=10, *last):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, n_out), *last)


class Putting(nn.Module):
    """Put logits out in some container."""

    def __init__(self, how, body=None):
        super().__init__()
        self.body, self.how = _body() if body is None else body, how

    def forward(self, x):
        return self.how(self.body(x), self.training)


CONTAINERS = {
    "dictionary": lambda z, training: {"hidden": z[:, :3], "logits": z},
    "dictionary of one": lambda z, training: {"scores": z},
    "ordered dictionary": lambda z, training: OrderedDict(loss=None, logits=z),
    "object with logits": lambda z, training: SimpleNamespace(loss=None, logits=z),
    "tuple": lambda z, training: (z, z[:, :3]),
    "list": lambda z, training: [z, None],
    "named tuple": lambda z, training: Outputs(z, -z),
    "auxiliary heads in training": lambda z, training: (z, -z) if training else z,
    "dictionary within a tuple": lambda z, training: ({"logits": z}, None),
}
LOSSES = {
    "recipe": lambda module: memorizing_net(module, batch_size=32),
    "bfloat16": lambda module: memorizing_net(module, batch_size=32, precision="bfloat16"),
    "skorch's": cross_entropy,
    "function": lambda module: NeuralNet(module, criterion=lambda: F.cross_entropy, lr=0.1, batch_size=32),
    "probabilities": lambda module: NeuralNetClassifier(_with_softmax(module), lr=0.1, batch_size=32),
}


def _with_softmax(module):
    body = module.body if isinstance(module, Putting) else module
    body.append(nn.Softmax(1))
    return module


@pytest.mark.parametrize(
    ("net", "container"), [*(("recipe", held) for held in CONTAINERS), *((net, "dictionary") for net in LOSSES)]
)
def test_logits_are_taken_out_of_whatever_holds_them(net, container):
    found = []
    for module in (Putting(CONTAINERS[container]), _body()):
        signals = Loss(), Margin(), quick_curvature()
        run = once(LOSSES[net](module), of_digits(), signals)
        assert "get_loss" not in vars(run.net)
        found.append([signal.scores() for signal in signals])
    assert np.array_equal(*found)


def test_a_loss_of_ones_own_gets_all_that_the_net_puts_out():
    class Auxiliary(NeuralNetClassifier):
        seen = ()

        def get_loss(self, y_pred, y_true, *args, **kwargs):
            Auxiliary.seen = (type(y_pred), y_true.dtype)
            return sum(super(Auxiliary, self).get_loss(part, y_true, *args, **kwargs) for part in y_pred)

    net = Auxiliary(Putting(CONTAINERS["named tuple"]), criterion=nn.CrossEntropyLoss, batch_size=32)
    once(net, of_digits(), [Loss()])
    assert Auxiliary.seen == (Outputs, torch.int64)


@pytest.mark.parametrize(
    ("module", "criterion"),
    [
        (lambda: _body(1), nn.BCEWithLogitsLoss),
        (lambda: _body(1, nn.Flatten(0)), nn.BCEWithLogitsLoss),
        (lambda: _body(1, nn.Sigmoid()), nn.BCELoss),
        (lambda: Putting(CONTAINERS["tuple"], _body(1)), nn.BCEWithLogitsLoss),
    ],
    ids=["logit", "flat logit", "probability", "tuple"],
)
def test_one_logit_for_two_classes_is_measured_by_the_same_cross_entropy(module, criterion):
    samples = of_digits(labels=np.where(digits(100)[1] > 4, "yes", "no"))
    loss, curvature = Loss(), quick_curvature()
    run = once(NeuralNetBinaryClassifier(module(), criterion=criterion, lr=0), samples, [loss, curvature])
    wanted = F.binary_cross_entropy_with_logits(
        _body(1)(samples.inputs.tensor)[:, 0], samples.labels.float(), reduction="none"
    )
    np.testing.assert_allclose(loss.scores(), wanted.detach(), rtol=1e-5)
    assert (curvature.scores() > 0).all()
    assert 0 < run.train_accuracy < 1
    learned = once(NeuralNetBinaryClassifier(module(), criterion=criterion, lr=0.5), samples, [], max_epochs=15)
    assert learned.train_accuracy > run.train_accuracy + 0.2


WHOLE = (digits(60)[0] * 16).astype(np.int64)


class Texts(nn.Module):
    """Embedding and convolution, as of a net for texts."""

    def __init__(self):
        super().__init__()
        self.embed, self.convolve, self.out = nn.Embedding(17, 4), nn.Conv1d(4, 8, 3), nn.Linear(8, 10)

    def forward(self, tokens):
        return self.out(self.convolve(self.embed(tokens).transpose(1, 2)).amax(2))


TOKENS = {
    "int64": lambda: as_samples(WHOLE, digits(60)[1]),
    "uint8": lambda: as_samples(WHOLE.astype(np.uint8), digits(60)[1]),
    "dataset": lambda: as_samples(TensorDataset(torch.from_numpy(WHOLE).int(), torch.from_numpy(digits(60)[1]))),
}


@pytest.mark.parametrize("samples", TOKENS.values(), ids=TOKENS)
def test_whole_numbers_stay_so_for_a_net_that_begins_with_an_embedding(samples):
    loss = Loss()
    run = once(memorizing_net(Texts(), batch_size=32, iterator_train=DataLoader), samples(), [loss])
    assert np.isfinite(loss.scores()).all()
    assert takes_whole_numbers(run.net)


class Hashed(Texts):
    """Looks whole numbers of any size up."""

    def forward(self, tokens):
        if tokens.is_floating_point():
            raise TypeError("whole numbers, please")
        return super().forward(tokens % 17)


def test_numbers_that_are_looked_up_and_merge_in_single_precision_are_warned_of(recwarn):
    once(memorizing_net(Hashed(), batch_size=32), as_samples(WHOLE, digits(60)[1]), [])
    assert not [w for w in recwarn.list if w.category is UserWarning]
    with pytest.warns(UserWarning, match=r"whole numbers up to 1677\d+ for a net that looks them up.*OrdinalEncoder"):
        once(memorizing_net(Hashed(), batch_size=32), as_samples(WHOLE * (2**20 + 1), digits(60)[1]), [])


def test_whole_numbers_are_shown_as_ever_to_a_net_that_takes_real_ones():
    runs = [once(_body(), as_samples(X, digits(60)[1]), []) for X in (WHOLE, WHOLE.astype(np.float32))]
    assert not takes_whole_numbers(runs[0].net)
    weights = [run.net.module_.state_dict() for run in runs]
    assert all(torch.equal(weights[0][name], value) for name, value in weights[1].items())


def test_a_detector_of_texts_is_saved_and_measures_texts_that_it_was_not_fitted_on(tmp_path):
    net = memorizing_net(Texts(), batch_size=32)
    detector = LossDetector(net, max_epochs=2, keep_snapshots=1, device="cpu", random_state=0)
    detector.fit(WHOLE[:50], digits(60)[1][:50])
    save(detector, tmp_path / "texts")
    scores = [d.score_samples(WHOLE[50:], digits(60)[1][50:]) for d in (detector, load(tmp_path / "texts", net=net))]
    assert np.array_equal(*scores)


class InPlace(nn.Linear):
    def forward(self, x):
        return super().forward(x.sub_(0.5))


class InTraining(nn.Linear):
    def forward(self, x):
        return super().forward(x[:, :9] if self.training else x)


def _convolution(channels=1, size=6):
    return nn.Sequential(nn.Conv2d(channels, 2, 3), nn.Flatten(), nn.Linear(2 * size * size, 10))


def _normalised():
    return nn.Sequential(nn.Linear(64, 8), nn.BatchNorm1d(8), nn.Linear(8, 10))


TABLE, GREY, LAST = (64,), (8, 8), (8, 8, 1)
REFUSED = {
    "wrong width": (lambda: nn.Linear(63, 10), TABLE, r"net fails on a batch of X, float32 of shape \(64, 64\): mat1"),
    "double": (lambda: _body().double(), TABLE, r"Its 1.weight is of float64: make .* module.float\(\)"),
    "half": (lambda: _body().to(torch.bfloat16), TABLE, "Its 1.weight is of bfloat16"),
    "channels last": (_convolution, LAST, r"It takes samples of shape \(1, 8, 8\): pass X.transpose\(0, 3, 1, 2\)"),
    "no channels": (_convolution, GREY, r"It takes samples of shape \(1, 8, 8\): pass X\[:, None\]"),
    "three channels of one": (lambda: _convolution(3), (1, 8, 8), r"shape \(3, 8, 8\): pass X.repeat\(3, axis=1\)"),
    "no channels of three": (lambda: _convolution(3), GREY, r"pass X\[:, None\].repeat\(3, axis=1\)"),
    "steps last": (lambda: nn.Sequential(nn.Conv1d(4, 1, 7), nn.Flatten()), (16, 4), r"X.transpose\(0, 2, 1\)"),
    "not flat": (lambda: nn.Sequential(nn.Linear(64, 10)), GREY, r"shape \(64,\): pass X.reshape\(len\(X\), -1\)"),
    "real tokens": (lambda: nn.Sequential(nn.Embedding(2, 1), nn.Flatten(), nn.Linear(64, 10)), TABLE, "astype"),
    "in place": (lambda: InPlace(64, 10), TABLE, "net changes its input in place"),
    "one row": (lambda: Putting(lambda z, training: z.mean(0, keepdim=True)), TABLE, "puts out 1 rows of logits"),
    "nothing": (lambda: Putting(lambda z, training: None), TABLE, "net puts out a NoneType; it needs a tensor"),
    "no logits": (lambda: Putting(lambda z, training: {"a": z, "b": z}), TABLE, "puts out a dict with keys 'a', 'b'"),
    "in training": (lambda: InTraining(64, 10), TABLE, r"shape \(8, 64\), in training mode: mat1"),
    "frozen": (lambda: _body().requires_grad_(False), TABLE, "net has nothing that a step would change"),
    "binary criterion": (
        lambda: NeuralNetClassifier(_body(), criterion=nn.BCEWithLogitsLoss),
        TABLE,
        "criterion BCEWithLogitsLoss, which does not compare .* one class of 10. Pass criterion=torch.nn.CrossEntropy",
    ),
    "regression": (lambda: NeuralNet(_body(), criterion=nn.MSELoss), TABLE, "net has criterion MSELoss"),
    "binary net": (lambda: NeuralNetBinaryClassifier(_body(1)), TABLE, "one logit for two classes, and y holds 10"),
    "double class weights": (
        lambda: cross_entropy(_body(), criterion__weight=torch.ones(10, dtype=torch.float64)),
        TABLE,
        r"criterion CrossEntropyLoss fails on its logits.*Make its weight float32",
    ),
    "too few class weights": (lambda: cross_entropy(_body(), criterion__weight=torch.ones(9)), TABLE, "all 10 classes"),
    "last batch of one": (
        lambda: cross_entropy(_normalised(), batch_size=33),
        TABLE,
        "100 samples in batches of 33 leave one for the last. Pass batch_size=34, or memorizing_net",
    ),
    "batches of one": (lambda: memorizing_net(_normalised(), batch_size=1), TABLE, "Pass batch_size=2"),
}


@pytest.mark.parametrize(("net", "shape", "message"), REFUSED.values(), ids=REFUSED)
def test_a_net_that_can_not_be_trained_is_refused_with_the_way_out(net, shape, message):
    with pytest.raises(ValueError, match=message) as caught:
        once(net(), of_digits(100, shape), [Loss()])
    assert len(str(caught.value)) <= 400
    if any(words in str(caught.value) for words in ("fails on", "can't be trained on one")):
        assert isinstance(caught.value.__cause__, Exception)


def test_a_token_that_an_embedding_has_no_row_for_is_named():
    net = nn.Sequential(nn.Embedding(5, 2), nn.Flatten(), nn.Linear(128, 10))
    with pytest.raises(ValueError, match="X holds numbers from 0 to 16: an embedding needs a row for each"):
        once(net, as_samples(WHOLE, digits(60)[1]), [])


@pytest.mark.parametrize(
    "options",
    [{"iterator_train__drop_last": True}, {"batch_size": 32}, {"batch_size": -1}],
    ids=["dropped", "of four", "all at once"],
)
def test_batches_of_more_than_one_suit_a_normalised_net(options):
    loss = Loss()
    once(cross_entropy(_normalised(), **{"batch_size": 33, **options}), of_digits(), [loss], max_epochs=2)
    assert np.isfinite(loss.scores()).any()


class ByEpoch(NeuralNetClassifier):
    """Lean on what there is only once the training has begun."""

    def get_loss(self, y_pred, y_true, *args, **kwargs):
        return super().get_loss(y_pred, y_true, *args, **kwargs) * self.history[-1]["epoch"]


class SoftTargets(NeuralNetClassifier):
    """Compare logits with a number for each class, and let whoever watches have classes."""

    def train_step_single(self, batch, **fit_params):
        x, y = batch
        return super().train_step_single((x, F.one_hot(y, 10).float()), **fit_params)


@pytest.mark.parametrize(
    "net",
    [ByEpoch(_body(), criterion=nn.CrossEntropyLoss), SoftTargets(_body(), criterion=nn.BCEWithLogitsLoss)],
    ids=["loss", "step"],
)
def test_steps_of_ones_own_are_not_judged_beforehand(net):
    loss = Loss()
    once(net, of_digits(), [loss])
    assert np.isfinite(loss.scores()).all()


class Remembering(nn.Module):
    """Behave as it was trained: by running statistics, by chance, and by how often it was."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, 16), nn.BatchNorm1d(16), nn.Dropout(0.5), nn.Linear(16, 10))
        self.steps = 0

    def forward(self, x):
        self.steps += self.training
        return self.layers(x) * (1 + 0.1 * self.steps)


@pytest.mark.parametrize("net", [memorizing_net, cross_entropy], ids=["recipe", "skorch's"])
def test_the_first_pass_leaves_everything_as_it_was(monkeypatch, net):
    def trained():
        with torch.random.fork_rng():
            torch.manual_seed(0)
            made = net(Remembering(), batch_size=32)
        with untouched_rng():
            run = once(made, of_digits(), [], max_epochs=2)
        return {**run.net.module_.state_dict(), "steps": torch.tensor(run.net.module_.steps)}

    with_it = trained()
    monkeypatch.setattr(memorizing, "first_pass", lambda *args, **kwargs: [])
    assert all(torch.equal(with_it[name], value) for name, value in trained().items())
