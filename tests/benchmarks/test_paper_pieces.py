"""What the paper's experiments reckon by themselves, against detectors and against cases reckoned by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import spearmanr
from torch import nn
from torch.nn import functional as F

from curvdetect import CurvatureNoiseDetector, corrupt_labels, input_curvature, memorizing_net, step_decay
from curvdetect.metrics import auroc, cosine_similarity, top_k_cosine_similarity
from tests.cases import digits, exact_curvature, smooth_net

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
#: How the paper's experiments measure the curvature.
PAPERS = {"contrast": False, "units": "raw", "device": "cpu", "random_state": 1}


def test_along_the_gradients_sign_a_smooth_net_has_the_curvature_of_that_direction(load):
    variants, module, h = load("ablations", "variants"), smooth_net(), 1e-5
    X, y = torch.rand(20, 5, dtype=torch.float64), torch.arange(20) % 3
    convolutions, seen = torch.backends.cudnn.conv, []
    before = convolutions.fp32_precision
    module.register_forward_hook(lambda *args: seen.append(convolutions.fp32_precision))
    measured = variants.adversarial_curvatures(module, X, y, h, rows=7)
    assert (set(seen), convolutions.fp32_precision) == ({"ieee"}, before)  # as the random direction is measured
    along = variants.gradient(module, X, y).sign()
    hessians = [
        torch.autograd.functional.hessian(lambda x, i=i: F.cross_entropy(module(x), y[i]), X[i]) for i in range(20)
    ]
    expected = torch.stack([(hessian @ v).norm() for hessian, v in zip(hessians, along, strict=True)])
    torch.testing.assert_close(measured[1] / h, expected, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(measured[2], measured[1] ** 2)
    assert (measured[2] / h**2 <= 5 * exact_curvature(module, X, y) * 1.01).all()  # |v|² is the number of inputs


#: Weights of the networks for CIFAR, in millions, where the literature has the same ones.
SIZES = {"resnet18": 11.2, "vgg13_bn": 9.4, "densenet121": 7.0, "mobilenet_v2": 2.2}


@pytest.mark.parametrize("name", SIZES)
def test_networks_for_small_pictures_are_as_large_as_in_the_literature(load, name):
    network = load("architectures", "architectures").build(name, 10, 3, 32)
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(SIZES[name], rel=0.03)
    stem = next(layer for layer in network.modules() if isinstance(layer, nn.Conv2d))
    assert (stem.stride, stem.kernel_size) == ((1, 1), (3, 3))


def test_epochs_add_up_to_what_a_detector_scores(load):
    script = load("dynamics")
    args = script.parse(["--subset", "120", "--held-out", "20", "--epochs", "3", "--n", "2", "--device", "cpu"])
    parts = script.split(args)
    X, y = parts["training"]
    store, mask = script.measure(parts, {"rate": 0.1, "weight_decay": 0.001, "seed": 1}, args)
    _, labels, _ = script.data.corrupt(X, y, 0.1, "uniform", 1)
    recipe = {"lr": 0.03, "weight_decay": 0.001, "schedule": step_decay, "batch_size": 16, "max_epochs": 3}
    net = memorizing_net(None, for_tables=False, **recipe)
    detector = CurvatureNoiseDetector(net, n=2, every=1, **PAPERS).fit(X, labels)
    curvature, reference = store["training curvature"], np.linspace(0, 1, 100)
    np.testing.assert_allclose(curvature.mean(0), detector.scores_, rtol=1e-5)
    row = script.summary(store, mask, reference)
    means = [record["mean_curvature"] for record in detector.history_]
    np.testing.assert_allclose(row["training curvature"], means, rtol=1e-3)
    assert row["auroc"]["cumulative"][-1] == pytest.approx(auroc(mask, detector.scores_), abs=1e-4)
    assert row["auroc"]["epoch"][0] == pytest.approx(auroc(mask, curvature[0]), abs=1e-4)
    np.testing.assert_allclose(row["wrong curvature"], curvature[:, mask].mean(1), rtol=1e-3)
    predicted = detector.net_.predict(parts["held-out"][0])
    assert row["held_out correct"][-1] == pytest.approx((predicted == parts["held-out"][1]).mean())
    logits = detector.net_.forward(X)
    assert row["training loss"][-1] == pytest.approx(F.cross_entropy(logits, torch.tensor(labels)).item(), rel=1e-3)
    alike = row["similarity"]
    assert alike["cosine"]["cumulative"][-1] == pytest.approx(cosine_similarity(detector.scores_, reference), abs=1e-4)
    assert alike["top-k cosine"]["epoch"][1] == pytest.approx(
        top_k_cosine_similarity(curvature[1], reference, 10), abs=1e-4
    )
    assert alike["spearman"]["epoch"][1] == pytest.approx(spearmanr(curvature[1], reference).statistic, abs=1e-4)


def test_what_was_not_seen_is_a_mean_over_the_weights_that_were_kept(load):
    script = load("held_out")
    X, y, held_out, labels = script.data.load_both("digits", "", "", subset=60)
    given, _ = corrupt_labels(labels, 0.1, random_state=1)
    args = script.parse(["--epochs", "8", "--device", "cpu"])
    curvature, loss = script.on_training_set(X, y, 1, args)
    assert [snapshot.epoch for snapshot in curvature.snapshots_] == list(range(1, 9))
    scores = script.over_snapshots(curvature, loss, held_out, given)
    inputs, codes = torch.from_numpy(held_out), torch.from_numpy(given)
    by_hand, module = [], curvature.net_.module_
    for snapshot in curvature.snapshots_:
        module.load_state_dict(snapshot.load())
        key = {"h": args.h, "n": args.n, "power": args.power, "seed": curvature._seed, "epoch": snapshot.epoch}
        losses = F.cross_entropy(module(inputs), codes, reduction="none").detach()
        by_hand.append((input_curvature(module, inputs, codes, **key).numpy(), losses.numpy()))
    curvatures, losses = np.array(by_hand).swapaxes(0, 1)
    np.testing.assert_allclose(scores["loss, 8"], losses.mean(0), rtol=1e-3, atol=1e-6)
    for name, epochs in (("8", range(8)), ("4", (1, 3, 5, 7)), ("2", (2, 6)), ("1", (4,)), ("last", (7,))):
        mean = curvatures[list(epochs)].mean(0)
        np.testing.assert_allclose(scores[f"curvature, {name}"], mean, rtol=1e-2, atol=1e-6, err_msg=name)


def test_imagenet_is_scored_at_the_centre_and_trained_on_at_random_with_the_papers_recipe(load, tmp_path):
    script = load("imagenet")
    pixels = np.random.default_rng(0).integers(0, 255, (5, 6, 3), dtype=np.uint8).repeat(10, 0).repeat(10, 1)
    for name in "ab":
        (tmp_path / "train" / name).mkdir(parents=True)
        Image.fromarray(pixels).save(tmp_path / "train" / name / "1.JPEG")
    data, labels, paths = script.two_views(script.folder_of(tmp_path), script.parse([]))
    assert (labels.tolist(), paths) == (["a", "b"], ["a/1.JPEG", "b/1.JPEG"])
    with Image.open(tmp_path / "train" / "a" / "1.JPEG") as picture:
        small = picture.resize((43, 36), Image.Resampling.BILINEAR)  # shorter side 36
    left, top = round((43 - 32) / 2), (36 - 32) // 2
    expected = np.asarray(small.crop((left, top, left + 32, top + 32))).astype(int)
    assert np.abs(data[0][0].numpy().transpose(1, 2, 0) - expected).max() <= 1
    assert len({tuple(data.trained[0][0].flatten().tolist()) for _ in range(4)}) > 1
    args = script.parse(["--paper"])
    assert (args.epochs, args.every, args.crop, args.resize, args.h, args.n) == (200, 4, 224, 256, 1e-3, 10)
    net = script.network(10, args)
    factor = dict(net.callbacks)["schedule"].factor(200)
    rates = [net.lr * factor(epoch) for epoch in (0, 119, 120, 159, 160, 199)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001])


def outcomes(seen, correct):
    return list(zip(np.array(seen, dtype=bool), np.array(correct, dtype=bool), strict=True))


def test_memorization_is_what_seeing_a_sample_adds(load, tmp_path):
    memorization = load("memorization", "memorization")
    # four networks by four samples
    seen = [[1, 0, 1, 1], [0, 1, 1, 0], [1, 1, 0, 1], [0, 0, 0, 0]]
    correct = [[1, 0, 1, 1], [0, 1, 1, 1], [1, 0, 0, 0], [0, 1, 1, 1]]
    measured = memorization.estimate(outcomes(seen, correct))
    # seen: 2/2, 1/2, 2/2, 1/2; not seen: 0/2, 1/2, 1/2, 2/2
    np.testing.assert_allclose(measured.values, [1, 0, 0.5, -0.5])
    assert measured.halves is None  # the first and the third network both saw the first sample
    assert "right on 75.0 % of those seen, and on 50.0 % of the others" in measured.described
    for unknown in ([[1, 0], [1, 1]], [[1, 0], [0, 0]]):
        with pytest.raises(ValueError, match="2 networks are too few"):
            memorization.estimate(outcomes(unknown, [[1, 1], [1, 1]]))
    rng = np.random.default_rng(0)
    seen, correct = rng.random((60, 30)) < 0.7, rng.random((60, 30)) < 0.5
    measured = memorization.estimate(outcomes(seen, correct))
    for start in (0, 1):
        half = memorization.estimate(outcomes(seen[start::2], correct[start::2]))
        np.testing.assert_allclose(measured.halves[start], half.values)
    measured.save(tmp_path / "memorization.csv")
    again = memorization.read(tmp_path / "memorization.csv", 30)
    assert again.digest() == measured.digest()
    np.testing.assert_allclose(again.halves, measured.halves, atol=5e-5)
    np.savez(tmp_path / "cifar100_infl_matrix.npz", tr_mem=measured.values.astype(np.float32), infl=np.eye(2))
    released = memorization.read(tmp_path / "cifar100_infl_matrix.npz")
    np.testing.assert_allclose(released.values, measured.values, atol=1e-6)
    with pytest.raises(ValueError, match="is of 30 samples, and the data has 21"):
        memorization.read(tmp_path / "memorization.csv", 21)


def test_networks_are_trained_once_and_do_not_depend_on_how_often_they_were_cut_short(load, tmp_path, monkeypatch):
    memorization = load("memorization", "memorization")
    X, y = digits(60)
    recipe = memorization.Recipe(epochs=1, device="cpu", seed=3)
    one = list(memorization.networks(X, y, recipe, 4, tmp_path, 1))
    assert {seen.sum() for seen, _ in one} == {42}
    assert len({seen.tobytes() for seen, _ in one}) == 4
    kept = sorted(tmp_path.rglob("*.npz"))
    kept[1].unlink()
    kept[2].rename(kept[2].with_suffix(".part.npz"))  # killed while it was written
    np.testing.assert_array_equal(one, list(memorization.networks(X, y, recipe, 4, tmp_path, 1)))
    monkeypatch.setattr(memorization, "train", lambda *args: pytest.fail("trained"))
    list(memorization.networks(X, y, recipe, 4, tmp_path, 1))
    for other in [(X, y[::-1], recipe), (X[::-1], y, recipe), (X, y, memorization.Recipe(epochs=2, device="cpu"))]:
        with pytest.raises(pytest.fail.Exception, match="trained"):
            list(memorization.networks(*other, 2, tmp_path, 1))
