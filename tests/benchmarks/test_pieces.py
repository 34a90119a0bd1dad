"""What benchmarks reckon by themselves, against cases reckoned by hand."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from curvdetect import input_curvature
from curvdetect.detectors.measured import watching
from curvdetect.signals.dynamics import OtherLabelVote
from curvdetect.signals.evaluated import Curvature
from curvdetect.signals.signal import Batch, Plan
from tests.benchmarks.conftest import SCRIPTS
from tests.files import write_cifar, write_mnist

FORMATS = {
    "mnist": lambda root, _: write_mnist(root),
    "fashion_mnist": lambda root, _: write_mnist(root, "FashionMNIST"),
    "cifar10": lambda root, patch: write_cifar(root, patch, 10),
    "cifar100": lambda root, patch: write_cifar(root, patch, 100),
}


@pytest.mark.parametrize("name", FORMATS)
def test_torchvision_data_is_read_as_channels_first_bytes(load, tmp_path, monkeypatch, name):
    X, y = FORMATS[name](tmp_path, monkeypatch)
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


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_published_numbers_stand_beside_ours(load, tmp_path):
    corruption, out = load("corruption"), tmp_path / "out"
    assert all(len(values) == 6 for rows in corruption.recipes.PUBLISHED.values() for values in rows.values())
    write_mnist(tmp_path, n=40)
    call = ["--dataset", "mnist", "--data-dir", str(tmp_path), "--paper", "--quick", "--seeds", "0", "--epochs", "1"]
    call += ["--rates", "0.1", "--methods", "curvature", "loss", "--device", "cpu", "--threads", "1"]
    corruption.main([*call, "--out", str(out)])
    lines = (out / "table.md").read_text().splitlines()
    first = {line.split("|")[1].strip(): line.split("|")[2].strip() for line in lines[:20] if line.startswith("| ")}
    assert first["Curvature"].endswith("(99.9)")
    assert "(" not in first["Cumulative loss (CSL)"]


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


def test_near_copies_are_moved_and_stay_alike(load):
    copies = load("duplicates", "copies")
    picture = np.zeros((1, 28, 28), dtype=np.uint8)
    picture[0, 10:18, 10:18] = 200
    moved = set()
    for seed in range(40):
        copy = copies.near_copy(picture, np.random.default_rng(seed))
        bright = np.argwhere(copy[0] > 100)
        assert 170 < np.median(copy[0][copy[0] > 100]) < 230
        moved.add(tuple(np.round(bright.mean(0) - 13.5).astype(int)))
    assert moved == {(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)} - {(0, 0)}
    X, y = np.tile(picture, (30, 3, 1, 1)), np.arange(30) % 3
    planted = copies.plant(X, y, 5, "near", 0)
    assert len(planted.pairs) == 5
    assert sorted(i for pair in planted.pairs for i in pair) == np.flatnonzero(planted.mask).tolist()
    assert all(planted.labels[i] != planted.labels[j] for i, j in planted.pairs)
    assert (picture == X).all()


def test_pairs_are_counted_as_a_hand_would(load):
    duplicates, copies = load("duplicates"), load("duplicates", "copies")
    pairs = {(0, 1), (2, 3), (4, 5), (6, 7)}
    planted = SimpleNamespace(pairs=pairs, labels=np.arange(10), mask=np.arange(10) < 8)
    found = pd.DataFrame({"first": [0, 8, 2], "second": [1, 9, 3]})
    grade = duplicates.graded(found, planted, 2)
    assert grade == {"recall": 0.5, "recall_top": 0.25, "precision_100": 0.5, "precision": 0.5}
    assert duplicates.graded(found[:0], planted, 2)["recall"] == 0
    mask, others = copies.members_in(planted, [[0, 1, "exact"], [8, 9, "near"], [4, 8, "near"]])
    assert np.flatnonzero(others).tolist() == [8, 9]  # 4 is planted, and counted once
    assert copies.graded([1, 4, 0, 8], mask, others, pairs) == {"planted": 3, "whole": 1, "others": 1}


def test_schedules_choose_the_epochs_that_they_are_named_for(load):
    schedules = load("pareto", "schedules")
    values = np.random.default_rng(0).random((40, 50))
    chosen = {name: choose(values).tolist() for name, choose in schedules.SCHEDULES.items()}
    assert chosen["every 8th"] == [7, 15, 23, 31, 39]
    assert chosen["every 2nd of the first half"] == list(range(1, 20, 2))
    assert chosen["every epoch of the first quarter"] == list(range(10))
    assert chosen["the last alone"] == [39]
    assert (chosen["8, dense early"][0], chosen["8, dense early"][-1], len(chosen["8, dense early"])) == (0, 39, 8)
    assert chosen['every="auto"'] == schedules.dense_early(10, values).tolist()
    same = np.tile(np.arange(50.0), (40, 1))
    assert schedules.settled(1, same).tolist() == [0, 1, 2, 3, 4, 5]
    assert schedules.settled(1, values[:6]).tolist() == list(range(6))


#: 10 ms to train on a sample, 20 to score it, 4 to read it; 1 MB of gradients, 1 MB a second between processes.
RATES = {"train": 0.01, "passes": {"1": 0.02}, "read": 0.004, "gradient": 1e6}
PLANNED = {"batch_size_planned": 50, "workers": 1, "bandwidth": 1e-3}
#: 10 epochs of 1,000 samples; epochs 2, 6 and 10 are scored.
TERMS = {
    "one device": (1, {}, {}, {"training": 100, "scoring": 60, "waiting": 0, "exchange": 0}),
    # 10 steps an epoch, of whose 1 MB half passes each connection twice; 10 times 44 bytes a sample, 3 times 12
    "two devices": (2, {}, {}, {"training": 50, "scoring": 30, "waiting": 0, "exchange": 100 + 0.476}),
    # of 25 ms, 10 pass while the device trains, and 20 while it scores
    "slow readers": (1, {"read": 0.025}, {}, {"waiting": 1000 * (10 * 0.015 + 3 * 0.005)}),
    "two slow readers": (1, {"read": 0.05}, {"workers": 2}, {"waiting": 1000 * (10 * 0.015 + 3 * 0.005)}),
}


@pytest.mark.parametrize(("devices", "rates", "options", "expected"), TERMS.values(), ids=TERMS)
def test_the_plan_follows_from_what_was_measured(load, devices, rates, options, expected):
    plan = load("plan")
    args = SimpleNamespace(**{**PLANNED, **options})
    found = plan.seconds(plan.Run(1000, 10, 4, 1), {**RATES, **rates}, devices, args)
    assert {term: found[term] for term in expected} == pytest.approx(expected)


def test_a_faster_device_scores_faster_in_proportion(load):
    plan = load("plan")
    found = {"compute": {**RATES}, "reading": {"read": 0.004}}
    faster = plan.at_rate(found, 500)
    assert (faster["train"], faster["passes"]["1"], faster["read"]) == pytest.approx((0.002, 0.004, 0.004))
    told = [plan.number(value) for value in (0.01234, 1.0, 99.96, 123.4, 12345.6)]
    assert told == ["0.0123", "1", "100", "123", "12,346"]


class Counting:
    """An exchange that counts bytes."""

    def __init__(self):
        self.bytes = 0

    def sum(self, *tensors):
        # short integers travel as longer ones
        self.bytes += sum(tensor.numel() * max(4, tensor.element_size()) for tensor in tensors)

    largest = sum


def test_the_bytes_that_are_planned_for_are_those_that_signals_exchange(load):
    plan, n = load("plan"), 1000
    found = {"training": 0.0, "scoring": 0.0, "final": 0.0}
    for signal in [*watching([Curvature(h=1e-2, n=1, power=1, seed=0)]), OtherLabelVote()]:
        exchange = Counting()
        signal.start(Plan(n, 10, 1, torch.device("cpu"), exchange=exchange))
        x, y, weights = torch.rand(n, 4), torch.zeros(n, dtype=torch.int64), torch.rand(4, 10)
        told = {"epoch": 1, "quarter": 0, "forward": lambda x, w=weights: x @ w, "logits": x @ weights}
        signal.update(Batch(torch.arange(n), x, y, **told))
        signal.end_epoch()
        found[signal.stage] += exchange.bytes / n
    # but for a number or two of each signal
    planned = {"training": plan.EXCHANGED_TRAINING, "scoring": plan.EXCHANGED_SCORING}
    assert {stage: found[stage] for stage in planned} == pytest.approx(planned, abs=0.1)


@pytest.mark.parametrize("name", ["TABLES", "PICTURES"])
def test_every_kind_of_data_is_the_same_for_one_seed_and_finite(load, name):
    kinds = getattr(load("robustness", "kinds"), name)
    for make in (kinds[key] for key in kinds if "000" not in key and "128" not in key):
        (X, y), (again, _) = make(3), make(3)
        assert np.array_equal(X, again)
        assert np.isfinite(np.float32(X)).all()
        assert len(X) == len(y)


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


def test_the_authors_loop_measures_the_curvature_but_for_the_factor_of_the_batch(load):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)).double()
    X, y = torch.rand(40, 6, dtype=torch.float64), torch.arange(40) % 3
    theirs = load("speed", "loops").authors_pass(net, X, y, n=1000, batch_size=20, h=1e-3)().numpy()
    ours = input_curvature(net, X, y, h=1e-3, n=1000).numpy()
    # a mean of 20 losses is differentiated there, a sum here; probes differ
    assert np.median(theirs * 20 / ours) == pytest.approx(1, abs=0.03)
    assert np.corrcoef(theirs, ours)[0, 1] > 0.99


def test_no_script_imports_from_inside_the_package():
    for name, folder in SCRIPTS.items():
        text = (folder / f"{name}.py").read_text()
        assert "from curvdetect." not in text.replace("from curvdetect.metrics import", "")
