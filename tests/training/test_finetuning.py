"""The recipe for pretrained networks: what learns when, in what steps, and that wrong labels are found by it."""

from __future__ import annotations

import copy
import sys
import warnings

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback
from torch import nn
from torchvision import models

from curvdetect import (
    CurvatureNoiseDetector,
    FusedDetector,
    ImageEmbedder,
    InSample,
    LossDetector,
    MarginDetector,
    finetuning_net,
    load,
    noise_scorer,
    one_cycle,
    save,
)
from curvdetect.data.samples import as_samples
from curvdetect.training.finetuning import FineTuned
from tests.cases import Items, digits, noisy_digits
from tests.training.trainings import train

N = 60
PICTURES = np.random.default_rng(0).integers(0, 256, (N, 3, 10, 9), dtype=np.uint8)
LABELS = np.arange(N) % 3


def network(channels: int = 3, seed: int = 0) -> nn.Sequential:
    """Return a small network without its last layer, in training mode; its features are (n, 16, h, w)."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers = nn.Conv2d(channels, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.5)
        return nn.Sequential(*layers, nn.Conv2d(8, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU())


class Kept(Callback):
    """Keeps weights, statistics and learning rates of every epoch."""

    def on_train_begin(self, net, **kwargs):
        self.states_, self.rates_ = [copy.deepcopy(net.module_.state_dict())], []

    def on_epoch_begin(self, net, **kwargs):
        rates = {id(p): group["lr"] for group in net.optimizer_.param_groups for p in group["params"]}
        self.rates_.append(
            (rates[id(net.module_.head.bias)], {rates[id(p)] for p in net.module_.backbone.parameters()})
        )

    def on_epoch_end(self, net, **kwargs):
        self.states_.append(copy.deepcopy(net.module_.state_dict()))


def kept(model=None, X=PICTURES, **options) -> Kept:
    """Return what a training kept."""
    net = finetuning_net(network() if model is None else model, callbacks=[("kept", Kept())], **options)
    return dict(train(net, as_samples(X, LABELS)).net.callbacks_)["kept"]


def changed(states: list[dict], epoch: int) -> set[str]:
    """Return the names of what an epoch, counted from 1, changed."""
    return {name for name, value in states[epoch].items() if not torch.equal(value, states[epoch - 1][name])}


WEIGHTS = {f"backbone.{name}" for name, _ in network().named_parameters()}
HEAD = {"head.weight", "head.bias"}


@pytest.mark.parametrize(("head_epochs", "n_head"), [(2, 2), (0, 0), (9, 4)])
def test_the_head_learns_first_then_all_weights_do_and_statistics_stay(head_epochs, n_head):
    states = kept(head_epochs=head_epochs, max_epochs=4).states_
    assert [changed(states, epoch) for epoch in range(1, 5)] == [HEAD] * n_head + [HEAD | WEIGHTS] * (4 - n_head)
    assert not states[0]["head.weight"].any()
    given = {f"backbone.{name}": value for name, value in network().state_dict().items()}
    assert all(torch.equal(value, states[n_head][name]) for name, value in given.items())


def test_what_was_frozen_stays_frozen_and_the_module_that_was_passed_is_left_alone():
    model = network()
    model[0].requires_grad_(False)
    before = copy.deepcopy(model.state_dict())
    states = kept(model, head_epochs=1, max_epochs=2).states_
    assert changed(states, 2) == HEAD | {name for name in WEIGHTS if not name.startswith("backbone.0.")}
    assert model.training
    assert [p.requires_grad for p in model.parameters()] == [False, False, *[True] * 6]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_each_part_has_its_learning_rate_and_both_follow_the_schedule():
    rates = kept(lr=1e-4, head_lr=1e-2, head_epochs=2, max_epochs=7).rates_
    factors = [1, 1, *map(one_cycle(5), range(5))]
    assert [head for head, _ in rates] == pytest.approx([1e-2 * factor for factor in factors])
    assert all(len(others) == 1 for _, others in rates)
    assert [min(others) for _, others in rates] == pytest.approx([1e-4 * factor for factor in factors])
    halved = kept(lr=1e-4, head_lr=1e-2, max_epochs=2, schedule=lambda n_epochs: lambda epoch: 0.5).rates_
    assert [(head, min(others)) for head, others in halved] == [(5e-3, 5e-5)] * 2


def file_of(tmp_path) -> str:
    torch.save(models.squeezenet1_1().state_dict(), tmp_path / "w.pt")
    return f"torchvision:squeezenet1_1@{tmp_path / 'w.pt'}"


MODELS = {
    "a module": (lambda folder: network(), {}),
    "a module, resized": (lambda folder: network(), {"size": (12, 16), "mean": 0.4, "std": [0.1, 0.2, 0.3]}),
    "a name and a file": (file_of, {"size": 40}),
}


@pytest.mark.parametrize(("make", "options"), MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("kind", ["bytes", "floats of one channel"])
def test_the_last_layer_is_trained_on_what_the_embedder_returns(tmp_path, make, options, kind):
    X = PICTURES[:8] if kind == "bytes" else PICTURES[:8, :1] / 255
    model, seen = make(tmp_path), []
    net = train(finetuning_net(model, max_epochs=1, **options), as_samples(X, LABELS[:8])).net
    net.module_.norm.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    assert net.module_.train().head.training
    net.module_(torch.from_numpy(X / 255 if kind == "bytes" else X).float())
    wanted = ImageEmbedder(model, device="cpu", **options).fit_transform(X)
    np.testing.assert_allclose(seen[0].detach().numpy(), wanted, rtol=1e-4, atol=1e-5)
    assert net.module_.head.out_features == 3


FAULTS = {
    "no library": ("resnet18", PICTURES, {}, ValueError, "model='resnet18' names no network. Pass 'timm:NAME'"),
    "no name": ("torchvision:resnet19", PICTURES, {}, ValueError, "'torchvision:resnet19' is not known"),
    "no timm": ("timm:resnet18", PICTURES, {}, ImportError, "needs timm: pip install timm"),
    "no model": (3, PICTURES, {}, TypeError, "model must be a name, such as .* or an nn.Module, got 3"),
    "rows": (network(), PICTURES.reshape(N, -1), {}, ValueError, r"X has samples of shape \(270,\).*X.reshape"),
    "two channels": (network(), PICTURES[:, :2], {}, ValueError, r"takes 3 channel\(s\), or one that is repeated"),
    "another range": (network(), PICTURES.astype(float), {}, ValueError, "X holds values from 0 to 25"),
    "too small": (nn.Conv2d(3, 4, 12), PICTURES, {}, ValueError, r"model fails on pictures of shape \(3, 10, 9\)"),
    "size": (network(), PICTURES, {"size": 7.5}, ValueError, "size must be one or a sequence of whole numbers"),
    "head_epochs": (network(), PICTURES, {"head_epochs": -1}, ValueError, "head_epochs must be .* got -1"),
    "head_lr": (network(), PICTURES, {"head_lr": -1}, ValueError, "head_lr must be .* got -1"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_cannot_be_fine_tuned_is_named(monkeypatch, name):
    model, X, options, kind, message = FAULTS[name]
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(kind, match=message) as raised:
        LossDetector(finetuning_net(model, **options), device="cpu", random_state=0).fit(X, LABELS)
    assert len(str(raised.value)) < 400


def test_pictures_that_are_normalized_are_taken_with_a_mean_and_datasets_are_read():
    net = finetuning_net(network(), mean=0, std=1, max_epochs=2)
    X = (PICTURES / 255 - 0.5).astype(np.float32)
    one, other = (
        MarginDetector(net, device="cpu", random_state=0).fit(data, LABELS)
        for data in (X, Items(zip(torch.from_numpy(X), LABELS.tolist(), strict=True)))
    )
    np.testing.assert_allclose(one.scores_, other.scores_, rtol=1e-4)


def test_a_search_sets_its_parameters_and_detectors_keep_and_load_it(tmp_path):
    detector = CurvatureNoiseDetector(
        finetuning_net(network(), max_epochs=2), keep_snapshots=2, device="cpu", random_state=0
    )
    grid = {"net__lr": [1e-4, 1e-3], "net__module__size": [None, 12]}
    mask = np.arange(N) % 7 == 0
    search = GridSearchCV(detector, grid, cv=InSample(), scoring=noise_scorer(mask), error_score="raise")
    best = search.fit(PICTURES, LABELS).best_estimator_
    assert len(set(search.cv_results_["mean_test_score"])) > 1
    assert best.net_.module_.seen[0] == ({None: None, 12: (12.0, 12.0)}[search.best_params_["net__module__size"]])
    assert np.isfinite(best.scores_).all()
    save(best, tmp_path / "kept")
    loaded = load(tmp_path / "kept", net=best.net)
    new, labels = PICTURES[:5, :, ::-1].copy(), LABELS[:5]
    np.testing.assert_allclose(loaded.score_samples(new, labels), best.score_samples(new, labels), rtol=1e-4)


def pretrained() -> nn.Sequential:
    """Return a network that has learned which digits are alike modulo 5, on digits that the test leaves alone."""
    X, y = digits()
    X, y = torch.from_numpy(X[900:]).view(-1, 1, 8, 8), torch.from_numpy(y[900:] % 5)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1)
        body = nn.Sequential(*layers, nn.BatchNorm2d(32), nn.ReLU(), nn.Flatten(), nn.Linear(512, 64), nn.ReLU())
        head = nn.Linear(64, 5)
        optimizer = torch.optim.AdamW([*body.parameters(), *head.parameters()], 3e-3)
        for _ in range(5):
            for index in torch.randperm(len(X)).split(64):
                optimizer.zero_grad()
                nn.functional.cross_entropy(head(body(X[index])), y[index]).backward()
                optimizer.step()
    return body


def test_planted_labels_are_found_by_a_network_that_was_trained_on_another_task():
    X, labels, mask, _ = noisy_digits(300, rate=0.1)
    net = finetuning_net(pretrained(), mean=[0.3], std=[0.4], lr=1e-3, head_lr=5e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)  # it is not to memorize
        detector = LossDetector(net, device="cpu", random_state=0).fit(X.reshape(-1, 1, 8, 8), labels)
    assert detector.train_accuracy_ < 0.99
    assert detector.score(noise_mask=mask) > 0.99


def test_a_pretrained_network_that_predicts_all_labels_counts_by_how_much_more_it_knows():
    X = PICTURES.copy()
    X[:, 0, :2, :2] = 80 * LABELS[:, None, None]
    net = finetuning_net(network(), lr=3e-3, max_epochs=30)
    detector = FusedDetector(net, device="cpu", random_state=0).fit(X, LABELS)
    assert detector.regime_ == "memorized"
    said = detector._witnesses["leave_one_out"].left_out.argmax(1)
    wanted = 1 + 20 * (detector.train_accuracy_ - (said == LABELS).mean())
    assert detector.fused_signals_["loss"] == pytest.approx(np.clip(wanted, 0.1, 5)) != 1.5


class Viewed(nn.Module):
    """A network whose features are a view that only one layout has."""

    def __init__(self):
        super().__init__()
        self.layers = network()

    def forward(self, x):
        found = self.layers(x)
        return found.view(len(found), -1)


class Particular(Viewed):
    """A network that says itself which layout it wants."""

    def forward(self, x):
        found = self.layers(x)
        assert found.is_contiguous()
        return found


class Deep(Viewed):
    """A network with a weight of five dimensions, for which there are no channels last."""

    def __init__(self):
        super().__init__()
        self.deep = nn.Conv3d(3, 3, 1)

    def forward(self, x):
        return self.layers(self.deep(x[:, :, None])[:, :, 0])


LAYOUTS = {"features": (network(), True), "a view": (Viewed(), False)}
LAYOUTS |= {"an assertion": (Particular(), False), "five dimensions": (Deep(), False)}


@pytest.mark.parametrize(("model", "last"), LAYOUTS.values(), ids=LAYOUTS)
def test_channels_lie_last_where_the_network_bears_it_and_nothing_else_changes(model, last, monkeypatch):
    net = finetuning_net(model, max_epochs=2, head_epochs=1)
    found = train(net, as_samples(PICTURES, LABELS)).net.module_
    assert [p.is_contiguous(memory_format=torch.channels_last) for p in found.parameters() if p.ndim == 4] == [last] * 2
    monkeypatch.setattr(FineTuned, "lay_out", lambda *args: None)
    plain = train(net, as_samples(PICTURES, LABELS)).net.module_
    assert [p.is_contiguous() for p in plain.parameters() if p.ndim == 4] == [True] * 2
    for (name, value), other in zip(found.state_dict().items(), plain.state_dict().values(), strict=True):
        torch.testing.assert_close(value, other, rtol=1e-3, atol=1e-4, msg=name)
