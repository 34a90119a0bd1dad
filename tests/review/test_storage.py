"""A saved detector comes back with everything; what no save wrote is refused, and nothing in its files is executed."""

from __future__ import annotations

import copy
import io
import json
import os
import pickle
import re
import shutil
from datetime import date
from functools import cache
from itertools import count

import cloudpickle
import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import NotFittedError
from skorch import NeuralNetClassifier
from torch import nn

from curvdetect import (
    ConfidentLearningDetector,
    CurvatureNoiseDetector,
    CurvSSFT,
    FusedDetector,
    LossDetector,
    SSFTDetector,
    load,
    memorizing_net,
    save,
)
from curvdetect.review import storage
from curvdetect.training import nets
from curvdetect.training.nets import ResNet
from tests.cases import noisy_digits
from tests.written import killed_at

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:the detector was saved without net"
)
X, LABELS, *_ = noisy_digits(120)
NAMES = np.array(list("abcdefghij"))[LABELS]
OLD, NEW = slice(0, 90), slice(90, 120)
KINDS = {
    "curvature": (CurvatureNoiseDetector, {"keep_snapshots": 2, "signals": ("late_loss",)}),
    "grid": (CurvatureNoiseDetector, {"grid": {"h": [0.1, 1e-2], "n": np.array([1, 2])}}),
    "loss": (LossDetector, {"q": np.float64(0.2), "stop_at": 0.5}),
    "fused": (FusedDetector, {"signals": {"loss": 1.0, "margin": 2.0}, "keep_snapshots": 1}),
    "ssft": (SSFTDetector, {"statistic": "time"}),
    "curv_ssft": (CurvSSFT, {"n_repeats": 2, "max_epochs": 1}),
    "confident": (ConfidentLearningDetector, {"cv": 2}),
}


def fit_digits(kind=CurvatureNoiseDetector, *, X=X, y=NAMES, **options):
    settings = {"max_epochs": 2, "device": "cpu", "random_state": 0, **options}
    return kind(**settings).fit(X[OLD], y[OLD])


@cache
def fitted(name):
    """Return a detector of each kind, fitted once."""
    kind, options = KINDS[name]
    return fit_digits(kind, **options)


def saved_and_loaded(detector, tmp_path, **options):
    save(detector, tmp_path / "saved")
    return load(tmp_path / "saved", **options)


@pytest.fixture
def saved(tmp_path):
    """Return the directory of a saved detector."""
    save(fitted("curvature"), tmp_path / "saved")
    return tmp_path / "saved"


def described(path):
    return json.loads((path / "detector.json").read_text())


def change(path, **changes):
    """Write other entries into the description of a saved detector."""
    (path / "detector.json").write_text(json.dumps(described(path) | changes))


def stored(path, name):
    """Return the file of a saved detector that holds the arrays, the net or a snapshot; its name tells its content."""
    (file,) = path.glob(name.replace(".", "*."))
    return file


def files_of(path):
    return {file.name: file.read_bytes() for file in path.iterdir()}


WAYS = {
    **dict.fromkeys(KINDS, saved_and_loaded),
    "pickle": lambda detector, _: pickle.loads(pickle.dumps(detector)),
    "joblib": lambda detector, path: joblib.load(*joblib.dump(detector, path / "file")),
    "cloudpickle": lambda detector, _: pickle.loads(cloudpickle.dumps(detector)),
    "deepcopy": lambda detector, _: copy.deepcopy(detector),
}


@pytest.mark.parametrize("way", WAYS)
def test_everything_comes_back(tmp_path, way):
    detector = fitted(way if way in KINDS else "grid")
    again = WAYS[way](detector, tmp_path)
    assert type(again) is type(detector)
    assert vars(again).keys() == vars(detector).keys()
    save(detector, tmp_path / "one")
    save(again, tmp_path / "other")
    assert files_of(tmp_path / "one") == files_of(tmp_path / "other")
    assert np.array_equal(again.score_samples(X[60:10:-1]), detector.score_samples(X[60:10:-1]))
    assert again.ranking().equals(detector.ranking())
    if hasattr(detector, "net_"):
        assert np.array_equal(again.net_.predict_proba(X), detector.net_.predict_proba(X))
        assert again.net_.classes_.tolist() == detector.net_.classes_.tolist() == list(range(len(detector.classes_)))
    if getattr(detector, "keep_snapshots", 0):
        assert np.array_equal(again.score_samples(X[NEW], NAMES[NEW]), detector.score_samples(X[NEW], NAMES[NEW]))


def test_the_default_network_comes_back_as_wide_as_the_number_of_samples_made_it(tmp_path, monkeypatch):
    def fresh(n_classes, channels, side, n_samples):
        return ResNet(n_classes, channels, (4 if n_samples <= 25 else 8,))  # as from 25,000 on

    monkeypatch.setattr(nets, "compact_resnet", fresh)
    pictures = torch.rand(26, 8, 8)
    detector = LossDetector(max_epochs=1, device="cpu", random_state=0).fit(pictures, NAMES[:26])
    again = saved_and_loaded(detector, tmp_path)
    assert again.net_.module_.head.in_features == 8
    assert np.array_equal(again.net_.predict(pictures), detector.net_.predict(pictures))


class Own(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, width), nn.BatchNorm1d(width), nn.Linear(width, 10))

    def forward(self, x):
        return self.layers(x)


NETS = {
    "class": lambda: Own,
    "recipe": lambda: memorizing_net(Own()),
    "skorch": lambda: NeuralNetClassifier(Own, module__width=5, criterion=nn.CrossEntropyLoss),
}


@pytest.mark.parametrize("make", NETS.values(), ids=NETS)
def test_a_net_of_ones_own_is_handed_over_again(tmp_path, make):
    detector = fit_digits(LossDetector, net=make(), keep_snapshots=1)
    again = saved_and_loaded(detector, tmp_path, net=make())
    assert np.array_equal(again.score_samples(X[NEW], NAMES[NEW]), detector.score_samples(X[NEW], NAMES[NEW]))


def test_without_its_net_a_detector_has_its_scores_and_another_net_is_refused(tmp_path):
    detector = fit_digits(LossDetector, net=Own(), keep_snapshots=1)
    with pytest.warns(UserWarning, match=r"saved without net=Own\(.*Pass load\(\.\.\., net=\.\.\.\)"):
        again = saved_and_loaded(detector, tmp_path)
    assert np.array_equal(again.score_samples(X[OLD]), detector.scores_)
    assert not hasattr(again, "net_")
    with pytest.raises(ValueError, match=r"without its net.*load\(path, net=\.\.\.\)"):
        again.score_samples(X[NEW], NAMES[NEW])
    with pytest.raises(ValueError, match="net is not the one that the detector was fitted with"):
        load(tmp_path / "saved", net=Own(9))


def test_other_things_that_are_left_out_are_named(tmp_path):
    detector = fit_digits(CurvSSFT, combine=np.minimum, max_epochs=1, random_state=np.random.RandomState(0))
    detector.set_params(checkpoint_dir=tmp_path / "fit", verbose=np.bool_(True))
    with pytest.warns(UserWarning, match="saved without combine=<ufunc 'minimum'>; random_state=RandomState"):
        again = saved_and_loaded(detector, tmp_path)
    assert (again.combine, again.checkpoint_dir, again.verbose) == ("rank_mean", tmp_path / "fit", True)
    detector.classes_ = np.array([date(2026, 1, day) for day in range(1, 11)])
    with pytest.raises(ValueError, match="classes_ can't be saved: it holds a date, which is no text, number or array"):
        save(detector, tmp_path / "dates")


@pytest.mark.parametrize("kinds", [np.array(list("abcdefghij"), dtype=object), np.arange(10.0)], ids=["text", "float"])
def test_labels_of_other_kinds_and_names_of_columns_come_back(tmp_path, kinds):
    frame = pd.DataFrame(X).add_prefix("pixel")
    detector = fit_digits(LossDetector, X=frame, y=kinds[LABELS], max_epochs=1)
    again = saved_and_loaded(detector, tmp_path)
    assert again.classes_.dtype == detector.classes_.dtype
    assert again.ranking().equals(detector.ranking())
    assert list(again.feature_names_in_) == list(frame.columns)
    with pytest.raises(ValueError, match="feature names should match"):
        again.score_samples(frame.add_prefix("x"))


def test_files_are_json_npz_and_safetensors_and_small(saved):
    names = {re.sub("-[0-9a-f]{32}", "", file.name) for file in saved.iterdir()}
    snapshots = {f"snapshot-{snapshot.epoch:04d}.safetensors" for snapshot in fitted("curvature").snapshots_}
    assert names == {"arrays.npz", "detector.json", "net.safetensors", *snapshots}
    with np.load(stored(saved, "arrays.npz"), allow_pickle=False) as arrays:
        assert sum(array.nbytes for array in arrays.values()) < X[OLD].nbytes * 2
    assert described(saved)["format"] == storage.FORMAT


def test_only_a_detector_is_written_over_and_only_when_asked(saved, tmp_path):
    for name in ("mine", "saved.old", "saved.draft"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "thesis.txt").touch()
    with pytest.raises(FileExistsError, match=r"is there already.*overwrite=True"):
        save(fitted("ssft"), saved)
    save(fitted("ssft"), saved, overwrite=True)
    assert isinstance(load(saved), SSFTDetector)
    with pytest.raises(FileExistsError, match="holds something else than a detector"):
        save(fitted("ssft"), tmp_path / "mine", overwrite=True)
    assert len(list(tmp_path.glob("*/thesis.txt"))) == 3


def test_a_failure_while_writing_leaves_the_old_one(saved, tmp_path, monkeypatch):
    def until_full(path, content, write=storage.write_whole):
        if path.suffix == ".json":
            raise OSError(28, "No space left")
        write(path, content)

    monkeypatch.setattr(storage, "write_whole", until_full)
    for path, overwrite in ((saved, True), (tmp_path / "new", False)):
        with pytest.raises(OSError, match="No space left"):
            save(fitted("ssft"), path, overwrite=overwrite)
    assert isinstance(load(saved), CurvatureNoiseDetector)
    assert [p.name for p in tmp_path.iterdir()] == ["saved"]


@pytest.mark.parametrize("there", [True, False], ids=["over another", "the first"])
def test_killed_at_any_step_the_old_or_the_new_is_there_and_the_next_save_works(tmp_path, there):
    old, new = fitted("ssft"), fitted("loss")
    save(old, tmp_path / "old")
    save(new, tmp_path / "new")
    for step in count(1):
        path = tmp_path / str(step)
        if there:
            shutil.copytree(tmp_path / "old", path)
        killed = killed_at(step, lambda path=path: save(new, path, overwrite=there))
        if there or not killed:
            assert vars(load(path)).keys() in (vars(old).keys(), vars(new).keys())
        if not killed:
            break
        save(new, path, overwrite=there or (path / "detector.json").exists())
        assert vars(load(path)).keys() == vars(new).keys()
        assert files_of(path) == files_of(tmp_path / "new")
    assert step > 8


def test_a_detector_that_was_loaded_is_saved_over_itself_with_its_snapshots_and_can_be_fitted_again(tmp_path):
    again = saved_and_loaded(fitted("curvature"), tmp_path)
    save(again.set_params(verbose=0), tmp_path / "saved", overwrite=True)
    expected = fitted("curvature").score_samples(X[NEW], NAMES[NEW])
    for one in (again, load(tmp_path / "saved")):
        assert np.array_equal(one.score_samples(X[NEW], NAMES[NEW]), expected)
    assert np.array_equal(again.fit(X[OLD], NAMES[OLD]).scores_, fitted("curvature").scores_)


def test_a_detector_of_the_first_format_is_read(saved):
    for file in saved.iterdir():
        file.rename(file.with_name(re.sub("-[0-9a-f]{32}", "", file.name)))
    change(saved, format=1)
    again, expected = load(saved), fitted("curvature")
    assert np.array_equal(again.scores_, expected.scores_)
    assert np.array_equal(again.score_samples(X[NEW], NAMES[NEW]), expected.score_samples(X[NEW], NAMES[NEW]))


def test_device_of_the_loaded_net(tmp_path):
    again = saved_and_loaded(fitted("loss"), tmp_path, map_location="cpu")
    assert (again.device, again.net_.device) == ("cpu", "cpu")
    change(tmp_path / "saved", params=described(tmp_path / "saved")["params"] | {"device": "cuda:7"})
    if not torch.cuda.is_available():
        assert load(tmp_path / "saved").device == "cpu"
    with pytest.raises(ValueError, match="device='cud' is not known"):
        load(tmp_path / "saved", map_location="cud")


@pytest.mark.gpu
@pytest.mark.parametrize("way", ["save", "pickle"])
def test_from_the_accelerator_to_the_host(tmp_path, device, way):
    detector = fit_digits(keep_snapshots=2, device=str(device))
    again = saved_and_loaded(detector, tmp_path, map_location="cpu") if way == "save" else WAYS[way](detector, tmp_path)
    again.device = "cpu"
    expected = detector.score_samples(X[NEW], NAMES[NEW])
    np.testing.assert_allclose(again.score_samples(X[NEW], NAMES[NEW]), expected, rtol=1e-2)


@pytest.mark.parametrize("name", ["arrays.npz", "net.safetensors", "detector.json", "snapshot-0001.safetensors"])
def test_a_file_that_is_torn_or_gone_is_named(saved, name):
    file = stored(saved, name)
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(ValueError, match=rf"{file.name} is torn"):
        load(saved)
    file.unlink()
    with pytest.raises((ValueError, FileNotFoundError), match=rf"{file.name} .*can't be read|no {name} in it"):
        load(saved)


class Executed:
    def __reduce__(self):
        return os.mkdir, ("executed",)


def test_a_forged_file_is_not_executed(saved, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = io.BytesIO()
    np.savez(content, **{"array-0": np.array([Executed()], dtype=object)})
    digest = storage._digest(content.getvalue())
    (saved / f"arrays-{digest}.npz").write_bytes(content.getvalue())
    change(saved, files=described(saved)["files"] | {"arrays.npz": digest})
    with pytest.raises(ValueError, match="allow_pickle=False"):
        load(saved)
    assert not (tmp_path / "executed").exists()


FORGED = {
    "class": ({"detector": "os.system"}, "knows no detector 'os.system'"),
    "method": ({"attributes": {"fit": 1}}, "attribute 'fit', which is no result"),
    "magic": ({"attributes": {"__class__": 1}}, "attribute '__class__', which is no result"),
    "newer": ({"format": 99, "curvdetect": "9.9"}, r"format 99 by curvdetect 9\.9.*upgrade curvdetect"),
    "parameter": ({"params": {"colour": 1}}, "parameter.*colour"),
}


@pytest.mark.parametrize(("forged", "message"), FORGED.values(), ids=FORGED)
def test_what_no_save_wrote_is_refused(saved, forged, message):
    change(saved, **forged)
    with pytest.raises(ValueError, match=message):
        load(saved)


def test_no_file_outside_the_directory_is_read(saved, tmp_path):
    inside = stored(saved, "net.safetensors")
    inside.rename(tmp_path / inside.name)
    files = described(saved)["files"]
    digest = files.pop("net.safetensors")
    for forged in ({"../net.safetensors": digest}, {"net.safetensors": f"/../../net-{digest}"}):
        change(saved, files=files | forged)
        with pytest.raises(ValueError, match="can't be read"):
            load(saved)


def test_what_is_no_fitted_detector_is_refused(tmp_path):
    class Mine(LossDetector):
        pass

    for what, said in (({}, r"save knows curvdetect's own detectors, got dict"), (Mine(), r"got Mine.*joblib\.dump")):
        with pytest.raises(TypeError, match=said):
            save(what, tmp_path / "saved")
    with pytest.raises(NotFittedError):
        save(LossDetector(), tmp_path / "saved")
    with pytest.raises(FileNotFoundError, match=r"holds no saved detector: there is no detector\.json"):
        load(tmp_path / "nothing")
