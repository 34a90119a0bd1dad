"""Networks, schedules, the recipe and the net that it makes."""

from __future__ import annotations

import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, GradientNormClipping, PrintLog
from torch import nn

from curvdetect import LossDetector, memorizing_net, one_cycle, step_decay
from curvdetect.data.inputs import columns_of
from curvdetect.data.samples import as_samples
from curvdetect.signals.dynamics import Loss
from curvdetect.training.nets import MLP, NAMED, Standardize, compact_resnet, module_for
from curvdetect.training.own_net import own_net
from curvdetect.training.recipe import BoundedGradient, MemorizingNet
from tests.cases import digits, quick_net
from tests.training.test_memorize_ending import At
from tests.training.trainings import of_digits, quick_curvature, train

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SHAPES = {
    "gray_28_without_channel": (28, 28),
    "colour_32": (3, 32, 32),
    "five_channels_oblong": (5, 8, 13),
}


def _samples(shape, n_classes=7):
    pictures = np.random.default_rng(0).random((3 * n_classes, *shape))
    return as_samples(pictures, np.arange(3 * n_classes) % n_classes)


@pytest.mark.parametrize("name", [None, *NAMED])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_module_for_pictures_puts_out_one_logit_a_class(name, shape):
    module = module_for(name, _samples(shape)).eval()
    with torch.no_grad():
        logits = module(torch.rand(2, *shape))
    assert logits.shape == (2, 7)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("far", [1e20, -1e30, 3e38])
@pytest.mark.parametrize("unit", [1.0, 1e-40])
def test_standardize_takes_the_farthest_numbers_to_the_bound_and_no_gradient_to_nan(far, unit):
    rows = torch.arange(-50.0, 51)[:, None] * unit
    rows[7] = far
    layer = Standardize(columns_of(rows), bound=4.0)
    rows.requires_grad_()
    out = layer(rows)
    out.sum().backward()
    assert torch.isclose(out[7], torch.tensor(4.0 if far > 0 else -4.0))
    assert out.isfinite().all()
    assert rows.grad.isfinite().all()


NETWORKS = {
    # 11.17 million weights is the published size of ResNet18 with a 3x3 stem and ten classes
    "resnet18_cifar": (lambda: NAMED["resnet18-cifar"](10, 3), 18, 512, 11_173_962),
    "resnet_mnist": (lambda: NAMED["resnet-mnist"](10, 1), 20, 64, None),
    "compact": (lambda: compact_resnet(10, 3, 32, 25_000), 8, 64, None),
    "compact_for_much_data": (lambda: compact_resnet(10, 3, 32, 25_001), 8, 128, None),
    "compact_for_large_pictures": (lambda: compact_resnet(10, 3, 64, 1000), 10, 128, None),
}


@pytest.mark.parametrize(("make", "depth", "width", "n_weights"), NETWORKS.values(), ids=NETWORKS)
def test_networks_have_the_depth_width_and_weights_they_are_named_for(make, depth, width, n_weights):
    module = make()
    layers = [m for m in module.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    assert len([m for m in layers if isinstance(m, nn.Linear) or m.kernel_size == (3, 3)]) == depth
    assert module.head.in_features == width
    if n_weights is not None:
        assert sum(p.numel() for p in module.parameters()) == n_weights


REFUSED = {
    "too_small": (None, (1, 7, 8), "7 by 8 pixels with 1 channel"),
    "channels_last": (None, (32, 32, 3), r"channels last: X.transpose\(0, 3, 1, 2\)"),
    "unknown_name": ("resnet50", (3, 32, 32), r"net='resnet50'.*'resnet18-cifar', 'resnet-mnist'"),
    "named_net_for_columns": ("resnet-mnist", (64,), r"net='resnet-mnist' is for pictures.* shape \(64,\).*net=None"),
    "five_dimensions": (None, (3, 4, 16, 16), r"shape \(3, 4, 16, 16\).*no default network"),
}


@pytest.mark.parametrize(("name", "shape", "message"), REFUSED.values(), ids=REFUSED)
def test_module_for_refuses_what_it_has_no_network_for(name, shape, message):
    with pytest.raises(ValueError, match=message):
        module_for(name, _samples(shape))


@given(n_epochs=st.integers(1, 400), peak=st.floats(0, 1), start=st.floats(1e-3, 1))
def test_one_cycle_rises_evenly_or_by_one_ratio_to_one_and_falls_evenly_towards_zero(n_epochs, peak, start):
    values, started = (
        [f(epoch) for epoch in range(n_epochs)] for f in (one_cycle(n_epochs, peak), one_cycle(n_epochs, peak, start))
    )
    assert max(values) == 1
    assert min(values) > 0
    top = max(1, round(peak * n_epochs))
    assert values[:top] == pytest.approx(np.linspace(0, 1, top + 1)[1:])
    assert values[top - 1 :] == pytest.approx(np.linspace(1, 0, n_epochs - top + 2)[:-1])
    assert started[top - 1 :] == values[top - 1 :]
    # from below: where the fall is lower, at a peak near the end, it goes before
    assert started[: top - 1] == pytest.approx([start ** (1 - (epoch + 1) / top) for epoch in range(top - 1)])


STEPS = {
    "paper": (300, {}, {0: 1, 149: 1, 150: 0.1, 249: 0.1, 250: 0.01, 299: 0.01}),
    "short": (6, {}, {2: 1, 3: 0.1, 4: 0.1, 5: 0.01}),
    "own": (10, {"milestones": [0.2], "gamma": 0.5}, {1: 1, 2: 0.5, 9: 0.5}),
    "none": (10, {"milestones": []}, {0: 1, 9: 1}),
}


@pytest.mark.parametrize(("n_epochs", "options", "expected"), STEPS.values(), ids=STEPS)
def test_step_decay_drops_at_its_milestones(n_epochs, options, expected):
    factor = step_decay(n_epochs, **options)
    assert {epoch: factor(epoch) for epoch in expected} == pytest.approx(expected)


@pytest.mark.parametrize("max_epochs", [1, 6])
@pytest.mark.parametrize("schedule", [one_cycle, step_decay], ids=["one_cycle", "step_decay"])
def test_schedule_is_laid_out_over_the_epochs_of_the_run_and_pickles(schedule, max_epochs):
    X, _ = digits(40)
    net = memorizing_net(MLP(64, 10, 8), lr=0.05, schedule=schedule, max_epochs=30)
    net.set_params(callbacks=[*net.callbacks, ("rates", Recorder("lr"))])
    trained = _trained(pickle.loads(pickle.dumps(net)), max_epochs)
    factor = schedule(max_epochs)
    seen = dict(trained.callbacks_)["rates"].seen
    assert seen == pytest.approx([0.05 * factor(epoch) for epoch in range(max_epochs)])
    assert (pickle.loads(pickle.dumps(trained)).predict_proba(X) == trained.predict_proba(X)).all()


class Recorder(Callback):
    """Keep a setting of the optimizer at the beginning of each epoch."""

    def __init__(self, name):
        self.name = name

    def on_train_begin(self, net, **kwargs):
        self.seen = []

    def on_batch_begin(self, net, training=False, **kwargs):
        if len(self.seen) < len(net.history):
            self.seen.append(net.optimizer_.param_groups[0][self.name])


def _trained(net, max_epochs):
    return train(net, of_digits(40), [], max_epochs=max_epochs, device=torch.device("cpu"), seed=0).net


@pytest.mark.parametrize("optimizer", [torch.optim.Rprop, torch.optim.LBFGS, torch.optim.Adam])
def test_the_recipe_for_tables_takes_optimizers_that_know_no_weight_decay(optimizer):
    net = memorizing_net(None, for_tables=True, optimizer=optimizer, lr=0.01, max_epochs=1, batch_size=64)
    assert ("optimizer__weight_decay" in net.get_params()) == (optimizer is torch.optim.Adam)
    detector = LossDetector(net, device="cpu", random_state=0).fit(*digits(60))
    assert np.isfinite(detector.scores_).all()


@pytest.mark.parametrize("named", [{}, {"weight_decay": 0}, {"weight_decay": 1e-3}, {"optimizer__weight_decay": 0.02}])
def test_the_recipe_for_tables_decays_faster_at_first_where_no_weight_decay_is_named(named):
    trained = _trained(memorizing_net(None, callbacks=[("decays", Recorder("weight_decay"))], **named), max_epochs=5)
    expected = [*named.values()] * 5 or [5e-3, 5e-3, 1e-4, 1e-4, 1e-4]
    assert dict(trained.callbacks_)["decays"].seen == expected


@pytest.mark.parametrize("name", [None, "resnet-mnist"])
@pytest.mark.parametrize(("named", "size"), [({}, 20), ({"batch_size": 128}, 128)], ids=["default", "named"])
def test_the_recipe_takes_smaller_batches_of_few_samples_unless_their_size_is_named(name, named, size):
    samples = as_samples(np.zeros((640, 8, 8), dtype=np.float32), np.arange(640) % 2)
    assert own_net(memorizing_net(name, **named), samples).batch_size == size


CPU = torch.device("cpu")


def pictures(n):
    rng = np.random.default_rng(0)
    return as_samples(rng.random((n, 1, 8, 8), dtype=np.float32), np.arange(n) % 3)


@given(length=st.floats(0.1, 10), bound=st.sampled_from([1.0, 2.5, None]), kind=st.sampled_from([2.0, float("inf")]))
def test_a_bounded_gradient_is_that_of_skorch_to_the_last_bit(length, bound, kind):
    found = []
    for clipping in (BoundedGradient, GradientNormClipping):
        module = nn.Linear(5, 3)
        net = SimpleNamespace(optimizer_=torch.optim.SGD(module.parameters(), lr=0.1))
        whole = torch.linspace(-1, 2, 15).reshape(3, 5)
        module.weight.grad = whole * (length / whole.norm())  # and a bias without a gradient
        clipping(bound, kind).on_grad_computed(net, named_parameters=module.named_parameters())
        found.append(module.weight.grad)
    assert torch.equal(*found)


OPTIMIZERS = {
    "default": ({}, True),
    "each weight by itself": ({"optimizer__fused": False}, False),
    "several together": ({"optimizer__foreach": True}, None),
    "another": ({"optimizer": torch.optim.Adagrad}, None),
}


@pytest.mark.parametrize(("options", "fused"), OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_the_network_for_tables_is_stepped_on_at_once_unless_the_caller_says_how(options, fused):
    net = own_net(memorizing_net(None, **options), of_digits(40)).initialize()
    assert net.optimizer_.defaults["fused"] is fused
    assert not own_net(memorizing_net(None), of_digits(40, (1, 8, 8))).initialize().optimizer_.defaults["fused"]


def test_every_step_is_made_in_training_mode_whatever_a_callback_did_to_a_part():
    class Calming(Callback):
        """Put a part of the module into evaluation mode before each batch, and see what the step does to that."""

        def on_train_begin(self, net, **kwargs):
            self.modes = set()

        def on_batch_begin(self, net, **kwargs):
            net.module_[1].eval()

        def on_grad_computed(self, net, **kwargs):
            self.modes.update(m.training for m in [*net.module_.modules(), net.criterion_])

    net = memorizing_net(nn.Sequential(nn.Linear(64, 10), nn.Dropout(0.1)), callbacks=[("calming", Calming())])
    trained = train(net, of_digits(40), max_epochs=2).net
    assert dict(trained.callbacks_)["calming"].modes == {True}


def test_a_part_that_a_module_keeps_in_evaluation_mode_stays_there():
    class Frozen(nn.Module):
        """Standardize by statistics that are not learned."""

        def __init__(self):
            super().__init__()
            self.norm, self.linear = nn.BatchNorm1d(64), nn.Linear(64, 10)

        def train(self, mode=True):
            super().train(mode)
            self.norm.eval()
            return self

        def forward(self, x):
            return self.linear(self.norm(x))

    trained = train(memorizing_net(Frozen()), of_digits(40), max_epochs=1).net
    assert not trained.module_.norm.running_mean.any()


def test_no_table_is_laid_out_where_nothing_is_printed(monkeypatch):
    laid_out, said = PrintLog.table, []
    monkeypatch.setattr(PrintLog, "table", lambda log, row: said.append(row) or laid_out(log, row))
    train(quick_net(max_epochs=2), of_digits(40))
    assert said == []
    train(quick_net(max_epochs=2, callbacks=[PrintLog(sink=said.append)]), of_digits(40))
    assert any("train_loss" in line for line in said if isinstance(line, str))


def test_labels_that_a_callback_changes_when_a_batch_is_over_count_as_they_were():
    class Changing(Callback):
        """Let every label be zero."""

        def on_batch_end(self, net, batch, **kwargs):
            batch[1].zero_()

    nets = (memorizing_net(None, callbacks=own) for own in ([], [("changing", Changing())]))
    one, other = (train(net, of_digits(40), max_epochs=2).history for net in nets)
    assert [record["train_accuracy"] for record in one] == [record["train_accuracy"] for record in other]


def test_losses_in_the_history_are_numbers_as_skorch_has_them():
    X, y = digits(200)
    histories = []
    for kind in (MemorizingNet, NeuralNetClassifier):
        torch.manual_seed(0)
        net = kind(
            MLP(64, 10, 16), criterion=nn.CrossEntropyLoss, batch_size=32, max_epochs=2, train_split=None, verbose=0
        )
        histories.append(net.fit(X, y).history)
    ours, theirs = histories
    assert ours[:, "train_loss"] == theirs[:, "train_loss"]
    assert ours[:, "batches", :, "train_loss"] == theirs[:, "batches", :, "train_loss"]
    assert ours[:, "batches", :, "train_batch_size"] == theirs[:, "batches", :, "train_batch_size"]
    assert ours[:, "train_batch_count"] == theirs[:, "train_batch_count"]
    assert all(type(loss) is float for losses in ours[:, "batches", :, "train_loss"] for loss in losses)


def test_an_interrupted_epoch_leaves_numbers_in_the_history():
    X, y = digits(200)
    net = quick_net(callbacks=[At("on_batch_end", 1)])
    net.initialize()
    net.partial_fit(as_samples(X, y), y)
    assert [type(batch["train_loss"]) for batch in net.history[-1]["batches"]] == [float] * 2


class SeesDtypes(nn.Module):
    """Notes the precision that its layer works in, by mode."""

    def __init__(self):
        super().__init__()
        self.layer, self.seen = nn.Linear(64, 10), set()

    def forward(self, x):
        out = self.layer(x)
        self.seen.add((self.training, out.dtype))
        return out


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_precision_is_that_of_training_alone(precision):
    X, y = digits(100)
    net = memorizing_net(SeesDtypes(), precision=precision, max_epochs=2)
    run = train(net, as_samples(X, y), [quick_curvature()], device=CPU, seed=0)
    assert run.net.module_.seen == {(True, getattr(torch, precision)), (False, torch.float32)}
    assert all(p.dtype == torch.float32 for p in run.net.module_.parameters())


def test_training_in_bfloat16_still_memorizes():
    X, y = digits(100)
    net = memorizing_net(MLP(64, 10, 64), batch_size=16, precision="bfloat16", max_epochs=20)
    assert train(net, as_samples(X, y), [Loss()], device=CPU, seed=0).train_accuracy > 0.98


def test_precision_can_be_set_and_is_checked():
    net = quick_net().set_params(precision="float16")
    assert clone(net).precision == "float16"
    with pytest.raises(ValueError, match="precision must be 'float32' or 'bfloat16', got 'float16'"):
        train(net, of_digits(50), [Loss()], device=CPU, seed=0)


def test_the_default_network_has_its_channels_last_on_a_cpu():
    run = train(None, pictures(40), [Loss()], max_epochs=1, device=CPU, seed=0)
    weights = [p for p in run.net.module_.parameters() if p.ndim == 4 and p.shape[1] > 1 and p.shape[2] > 1]
    assert weights
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p in weights)
