"""Variants of the curvature, end to end on tiny data."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from skorch.history import History

from curvdetect import input_curvature
from curvdetect.training.nets import MLP
from tests.cases import digits, exact_curvature, smooth_net

QUICK = ["--subset", "100", "--epochs", "3", "--n", "2", "--device", "cpu", "--threads", "1"]


@pytest.fixture
def reference(script, tmp_path):
    """Memorization of as many samples, out of thin air."""
    rng = np.random.default_rng(0)
    path = tmp_path / "memorization.csv"
    script.memorization.Memorization(rng.random(100), "", rng.random(100), (rng.random(100), rng.random(100))).save(
        path
    )
    return ["--reference", str(path)]


def test_the_table_holds_every_variant_and_nothing_is_trained_twice(script, reference, tmp_path, capsys, monkeypatch):
    call = [*QUICK, *reference, "--seeds", "4", "5", "--out", str(tmp_path / "out")]
    script.main(call)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"records.jsonl", "table.md", "ablations.png"}
    text = (tmp_path / "out" / "table.md").read_text()
    assert text in capsys.readouterr().out
    assert len(script.CAPTIONS) == 12
    for caption in [*script.CAPTIONS.values(), *script.similarity.BASELINES.values()]:
        assert f"| {caption} " in text
    row = next(line for line in text.splitlines() if line.startswith("| Adversarial direction, squared, end"))
    assert all(f"({value})" in row for value in ("0.07", "0.24", "0.10", "0.17"))
    monkeypatch.setattr(script, "trained", lambda *args: pytest.fail("trained again"))
    script.main(call)


def test_variants_are_averaged_over_the_epochs_or_taken_at_the_end(script):
    from harness.shared import Shared
    from harness.variants import ADVERSARIAL, POWERS, RANDOM, Variants, adversarial_curvatures, scores, variant

    X, y = (torch.from_numpy(array) for array in digits(40))
    store = Shared(X=X, y=y)
    watching, modules = Variants(store, h=1e-2, n=3, seed=7), [MLP(64, 10, 16).eval() for _ in range(2)]
    for epoch, module in enumerate(modules, start=1):
        watching.on_epoch_end(SimpleNamespace(module_=module, history=History([{"epoch": epoch}])))
    measured = scores(store)
    assert set(measured) == set(script.CAPTIONS)
    for power in POWERS:
        common = {"h": 1e-2, "n": 3, "power": power, "seed": 7}
        random = [input_curvature(m, X, y, **common, epoch=e).numpy() for e, m in enumerate(modules, start=1)]
        adversarial = [adversarial_curvatures(m, X, y, 1e-2)[power].numpy() for m in modules]
        for kind, values in ((RANDOM, random), (ADVERSARIAL, adversarial)):
            np.testing.assert_allclose(measured[variant(kind, power, averaged=True)], np.mean(values, 0))
            np.testing.assert_allclose(measured[variant(kind, power, averaged=False)], values[1])


def test_other_data_than_the_digits_needs_a_reference(script, capsys):
    with pytest.raises(SystemExit):
        script.parse(["--subset", "100"])
    assert "--reference is needed" in capsys.readouterr().err
    assert script.parse([]).reference.exists()


def test_along_the_gradients_sign_a_smooth_net_has_the_curvature_of_that_direction(script):
    from harness.variants import adversarial_curvatures, gradient

    module = smooth_net()
    X, y = torch.rand(20, 5, dtype=torch.float64), torch.arange(20) % 3
    h = 1e-5
    measured = adversarial_curvatures(module, X, y, h, rows=7)
    along = gradient(module, X, y).sign()
    hessians = [
        torch.autograd.functional.hessian(lambda x, i=i: torch.nn.functional.cross_entropy(module(x), y[i]), X[i])
        for i in range(20)
    ]
    expected = torch.stack([(hessian @ v).norm() for hessian, v in zip(hessians, along, strict=True)])
    torch.testing.assert_close(measured[1] / h, expected, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(measured[2], measured[1] ** 2)
    assert (measured[2] / h**2 <= 5 * exact_curvature(module, X, y) * 1.01).all()  # |v|² is the number of inputs


def test_the_gradients_sign_is_followed_in_full_precision_as_random_signs_are(script):
    from harness.variants import adversarial_curvatures

    module, convolutions, seen = smooth_net(), torch.backends.cudnn.conv, []
    module.register_forward_hook(lambda *args: seen.append(convolutions.fp32_precision))
    before = convolutions.fp32_precision
    adversarial_curvatures(module, torch.rand(4, 5, dtype=torch.float64), torch.zeros(4, dtype=torch.int64), 1e-2)
    assert set(seen) == {"ieee"}
    assert convolutions.fp32_precision == before


def test_a_step_in_normalised_inputs_is_one_of_a_deviation(script):
    from harness.variants import Scaled, standards

    X, y = torch.from_numpy(digits(50)[0]), torch.from_numpy(digits(50)[1])
    center, scale = standards(X)
    assert (scale > 0).all()  # the corners are blank in every digit
    module = torch.nn.Linear(64, 10)
    scaled = Scaled(module, center, scale)
    torch.testing.assert_close(scaled((X - center) / scale), module(X), rtol=1e-4, atol=1e-5)
    flat = Scaled(module, torch.zeros(64), torch.full((64,), 0.5))
    # of one scale for all: half the step, and half the gradient
    inner = input_curvature(flat, X / 0.5, y, h=1e-2, n=3)
    torch.testing.assert_close(inner, 0.5 * input_curvature(module, X, y, h=5e-3, n=3), rtol=1e-3, atol=1e-9)
    pictures = torch.rand(6, 3, 4, 4)
    center, scale = standards(pictures)
    assert center.shape == scale.shape == (3, 1, 1)
    torch.testing.assert_close(scale.flatten(), pictures.std((0, 2, 3), correction=0))
