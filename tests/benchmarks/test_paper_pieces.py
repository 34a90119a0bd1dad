"""What the paper's experiments reckon by themselves, against detectors and against cases reckoned by hand."""

from __future__ import annotations

from types import SimpleNamespace

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


def test_a_step_in_normalised_inputs_is_one_of_a_deviation(load):
    variants = load("ablations", "variants")
    X, y = (torch.from_numpy(array) for array in digits(50))
    center, scale = variants.standards(X)
    assert (scale > 0).all()  # the corners are blank in every digit
    module = nn.Linear(64, 10)
    scaled = variants.Scaled(module, center, scale)
    torch.testing.assert_close(scaled((X - center) / scale), module(X), rtol=1e-4, atol=1e-5)
    flat = variants.Scaled(module, torch.zeros(64), torch.full((64,), 0.5))
    # of one scale for all: half the step, and half the gradient
    inner = input_curvature(flat, X / 0.5, y, h=1e-2, n=3)
    torch.testing.assert_close(inner, 0.5 * input_curvature(module, X, y, h=5e-3, n=3), rtol=1e-3, atol=1e-9)
    pictures = torch.rand(6, 3, 4, 4)
    torch.testing.assert_close(variants.standards(pictures)[1].flatten(), pictures.std((0, 2, 3), correction=0))


#: Weights of the networks for CIFAR, in millions, where the literature has the same ones.
SIZES = {"resnet18": 11.2, "vgg13_bn": 9.4, "densenet121": 7.0, "mobilenet_v2": 2.2}


@pytest.mark.parametrize("name", SIZES)
def test_networks_take_small_pictures_and_get_narrower(load, name):
    build = load("architectures", "architectures").build
    size = sum(p.numel() for p in build(name, 10, 3, 32).parameters())
    assert size / 1e6 == pytest.approx(SIZES[name], rel=0.03)
    narrow = build(name, 10, 1, 8, 8).train()
    assert narrow(torch.rand(2, 1, 8, 8)).shape == (2, 10)
    assert sum(p.numel() for p in narrow.parameters()) < size / 40
    stem = next(layer for layer in narrow.modules() if isinstance(layer, nn.Conv2d))
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


CURVES = {
    "rises and falls": ([1.0, 2.0, 4.0, 2.0, 1.0], True),
    "only falls": ([4.0, 3.0, 2.0, 1.0, 0.5], False),
    "only rises": ([1.0, 2.0, 3.0, 4.0, 5.0], False),
    "hardly falls": ([1.0, 2.0, 4.0, 4.0, 3.0], False),
}
NUMBERS = {
    (0.5,): "0.500",
    (1.0, 1.0): "1.00 ± 0.00",
    (0.0,): "0.000",
    (1234.0,): "1234",
    (-0.25, 0.05): "-0.100 ± 0.212",
}


def test_rise_fall_and_onset_are_told_from_the_numbers(load):
    epochs = load("dynamics", "epochs")
    for name, (curvature, seen) in CURVES.items():
        assert epochs.rises_and_falls({"training curvature": curvature}) is seen, name
    row = {"epochs": [1, 2, 3, 4, 5], "held_out loss": [3.0, 1.0, 2.0, 2.0, 0.5]}
    assert [epochs.onset({**row, "first_phase": first}) for first in (4, 5)] == [1, 4]
    assert {values: epochs.number(values) for values in NUMBERS} == NUMBERS
    assert (epochs.whole([3, 3]), epochs.whole([4, 2]), epochs.times([149, 151])) == ("3", "2-4", "150")


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


def test_tails_and_wrong_labels_are_counted_as_a_hand_would(load):
    values = np.r_[np.ones(198), 3.0, 99.0]  # of two hundred, the highest hundredth is these two
    mask = np.isin(np.arange(200), [0, 199])
    told = load("histograms").graded({"published": values, "corrupted": values}, mask)
    assert told["n_wrong"] == 2
    assert told["scores"]["published"] == {"share_of_top_1": round(102 / 300, 4)}
    assert told["scores"]["corrupted"]["among_highest"] == 1
    assert told["scores"]["corrupted"]["auroc"] == pytest.approx((198 + 197 / 2) / (2 * 198), abs=1e-6)


def test_red_dots_stay_red_and_mark_what_is_marked(load, tmp_path):
    pictures = load("histograms", "pictures")
    X = np.random.default_rng(0).integers(0, 256, (12, 3, 16, 16), dtype=np.uint8)
    X[:, 0] //= 2  # none of them red
    red = []
    for n_marked in (0, 1, 3):
        panel = pictures.panel("some", X, list(range(12)), np.arange(12), np.arange(12) < n_marked)
        pictures.draw([panel, panel], tmp_path / "drawn.png", n_columns=4)
        drawn = np.asarray(Image.open(tmp_path / "drawn.png").convert("RGB"))
        assert (drawn[0, 0] == 255).all()
        red.append(int((drawn == (255, 0, 0)).all(-1).sum()))
    assert red[0] == 0 < red[1]
    assert red[2] == pytest.approx(3 * red[1], rel=0.2)


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
    np.savez(tmp_path / "other.npz", infl=np.eye(2))
    with pytest.raises(ValueError, match="holds infl, and no tr_mem"):
        memorization.read(tmp_path / "other.npz")


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


def test_grades_are_those_of_the_package_and_signed_scores_start_at_their_lowest(load):
    similarity, memorization = load("memorization", "similarity"), load("memorization", "memorization")
    rng = np.random.default_rng(0)
    scores, reference = rng.random(50), rng.random(50)
    grades = similarity.graded(scores, reference, 0.1)
    assert grades["cosine"] == pytest.approx(cosine_similarity(scores, reference), abs=1e-4)
    assert grades["top_k"] == pytest.approx(top_k_cosine_similarity(scores, reference, 5), abs=1e-4)
    assert similarity.graded(scores - 2, reference, 0.1) == similarity.graded(scores - scores.min(), reference, 0.1)
    assert similarity.graded(np.ones(50), reference, 0.1)["spearman"] == 0
    for ties in (1, 12, 30):
        values = np.maximum(np.arange(40) - ties + 1.0, 0)
        # the highest correlation of ranks is that of the same order without ties
        highest = similarity.graded(np.arange(40.0), values, 0.1)["spearman"]
        text = similarity.explained(memorization.Memorization(values, ""), 0.1)
        assert ("at most" in text) == (highest < 0.95)
        assert highest >= 0.95 or f"at most {highest:.2f}" in text


def test_the_most_memorized_are_counted_as_a_hand_would(load, monkeypatch):
    most = load("memorization", "most_memorized")
    monkeypatch.setattr(most, "TOP", 3)
    members = np.isin(np.arange(6), [1, 4])
    planted = SimpleNamespace(mask=members, pairs={(1, 4)}, copied=np.arange(6) == 4)
    reference = np.array([0.3, 0.9, 0.1, 0.2, 0.8, 0.0])
    trained = {
        0.0: [{"loss": np.array([3.0, 1, 2, 0, 0, 0])}],
        0.1: [{"loss": np.array([9.0, 8, 0, 0, 1, 0])}, {"loss": np.array([0.0, 0, 0, 0, 9, 0])}],  # mean: 4, 0, 1
    }
    tops = most.rankings(reference, trained, ["curvature", "loss"])
    assert tops == {("memorization", None): [1, 4, 0], ("loss", 0.1): [4, 0, 1], ("loss", 0.0): [0, 2, 1]}
    lines = most.section(tops, {"loss": "Loss"}, reference, planted, np.arange(6) == 2)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2].splitlines()[2:]]
    assert rows == [
        ["Memorization (FZ)", "3", "2", "1", "0"],
        ["Loss, wd 0.1", "3", "2", "1", "0"],
        ["Loss, no wd", "2", "1", "0", "1"],
    ]
    assert "0.30 or more for 3 samples" in lines[4]
    assert "0.80 of the copies, whose labels are wrong, 0.90 of what they are copies of, 0.15 of the other" in lines[4]


def test_weights_shrink_in_the_paper_by_what_its_recipe_says(load):
    # 391 steps an epoch: 150 epochs at 0.1, 100 at 0.01, 50 at 0.001
    expected = 1e-4 * 391 * (150 * 0.1 + 100 * 0.01 + 50 * 0.001)
    assert load("top_samples").options.shrinkage_in_paper() == pytest.approx(expected)


def test_the_toy_is_the_network_of_the_appendix_and_is_summed_up_as_a_hand_would(load):
    script = load("toy")
    network = script.Network(momentum=1.0)
    linear = [layer for layer in network if isinstance(layer, nn.Linear)]
    assert [layer.in_features for layer in linear] == [2, 100, 100, 500, 200, 100, 1000]
    assert [type(layer).__name__ for layer in network] == ["Linear", "BatchNorm1d", "ReLU"] * 6 + ["Linear"]
    X = torch.randn(30, 2)
    network(X)
    np.testing.assert_allclose(network[1].running_mean, network[0](X).mean(0).detach(), atol=1e-6)
    curvature = np.array([[1.0, 3, 0], [1.0, 9, 2], [0.0, 3, 0]])
    store = {
        f"{part} {what}": [[1.0], [2.0], [0.5]] for part in ("training", "held_out") for what in ("loss", "correct")
    }
    store |= {
        "training curvature": curvature,
        "held_out curvature": [[1.0], [2.0], [2.0]],
        "seen loss": [3.0, 2.0, 1.0],
    }
    row = script.summary(store, np.array([False, True, False]))
    assert (row["lowest"], row["highest"], row["left"], row["auroc"]) == (3, 2, [0.25, 1.0], [1.0, 1.0])
    assert row["shown"]["wrong curvature"] == [3.0, 3.0]  # after the first epoch and after the last
    told = script.said("x", [row, {**row, "left": [1.0, 1.0], "auroc": [0.5, 0.6]}])
    assert "highest in 1 of 2 training(s), on average to 0.62 of it, that of held-out points to 1. " in told
    assert told.endswith("last epoch alone in 0 of 2.")
