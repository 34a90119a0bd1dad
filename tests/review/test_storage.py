"""A saved detector comes back with everything, and nothing in its files is executed."""

from __future__ import annotations

import copy
import json
import pickle
import re
import shutil
from itertools import count

import cloudpickle
import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from skorch import NeuralNetClassifier
from torch import nn

import curvdetect
from curvdetect import (
    CurvSSFT,
    LossDetector,
    SSFTDetector,
    load,
    memorizing_net,
    save,
)
from curvdetect.review import storage
from curvdetect.training import nets
from curvdetect.training.nets import ResNet
from curvdetect.training.snapshots import Snapshot
from tests.files import killed_at
from tests.review.saved import KINDS, LABELS, NAMES, NEW, OLD, X, change, fit_digits, fitted, stored

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:the detector was saved without net"
)


def _equal(one, other):
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and (pd.DataFrame(one.ravel()).equals(pd.DataFrame(other.ravel())))
    if isinstance(one, Snapshot):
        return one.epoch == other.epoch and all(torch.equal(w, other.load()[n]) for n, w in one.load().items())
    if hasattr(one, "directions"):
        return _equal(vars(one), vars(other))
    return one == other or (one != one and other != other)


def _saved_and_loaded(detector, tmp_path):
    save(detector, tmp_path / "saved")
    return load(tmp_path / "saved")


def _by_file(how):
    def there_and_back(detector, tmp_path):
        with (tmp_path / "file").open("wb") as file:
            how.dump(detector, file)
        with (tmp_path / "file").open("rb") as file:
            return how.load(file)

    return there_and_back


WAYS = {
    "save": _saved_and_loaded,
    "pickle": _by_file(pickle),
    "joblib": _by_file(joblib),
    "cloudpickle": lambda detector, _: pickle.loads(cloudpickle.dumps(detector)),
    "deepcopy": lambda detector, _: copy.deepcopy(detector),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("name", KINDS)
def test_everything_comes_back(tmp_path, name, way):
    detector = fitted(name)
    again = way(detector, tmp_path)
    assert type(again) is type(detector)
    assert vars(again).keys() == vars(detector).keys()
    for attribute, value in vars(detector).items():
        if attribute != "net_":
            assert _equal(value, getattr(again, attribute)), attribute
    assert np.array_equal(again.score_samples(X[60:10:-1]), detector.score_samples(X[60:10:-1]))
    assert again.ranking().equals(detector.ranking())
    if hasattr(detector, "net_"):
        weights = detector.net_.module_.state_dict()
        assert all(torch.equal(value, weights[n]) for n, value in again.net_.module_.state_dict().items())
    if getattr(detector, "keep_snapshots", 0):
        assert np.array_equal(again.score_samples(X[NEW], NAMES[NEW]), detector.score_samples(X[NEW], NAMES[NEW]))


def test_a_loaded_detector_can_be_fitted_again(tmp_path):
    again = _saved_and_loaded(fitted("curvature"), tmp_path)
    assert np.array_equal(again.fit(X[OLD], NAMES[OLD]).scores_, fitted("curvature").scores_)


def test_the_default_network_comes_back_as_wide_as_the_number_of_samples_made_it(tmp_path, monkeypatch):
    def fresh(n_classes, channels, side, n_samples):
        return ResNet(n_classes, channels, (4 if n_samples <= 25 else 8,))  # as from 25,000 on

    monkeypatch.setattr(nets, "compact_resnet", fresh)
    pictures = torch.rand(26, 8, 8)
    detector = LossDetector(max_epochs=1, device="cpu", random_state=0).fit(pictures, NAMES[:26])
    again = _saved_and_loaded(detector, tmp_path)
    assert again.net_.module_.head.in_features == 8
    assert np.array_equal(again.net_.predict(pictures), detector.net_.predict(pictures))


def test_the_loaded_net_knows_its_classes(tmp_path):
    detector = fit_digits(net=None)
    again = _saved_and_loaded(detector, tmp_path)
    assert again.net_.classes_.tolist() == detector.net_.classes_.tolist() == list(range(len(detector.classes_)))


class Own(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, width), nn.BatchNorm1d(width), nn.Linear(width, 10))

    def forward(self, x):
        return self.layers(x)


NETS = {
    "instance": Own,
    "class": lambda: Own,
    "recipe": lambda: memorizing_net(Own()),
    "skorch": lambda: NeuralNetClassifier(Own, module__width=5, criterion=nn.CrossEntropyLoss),
}


@pytest.mark.parametrize("make", NETS.values(), ids=NETS)
def test_a_net_of_ones_own_is_handed_over_again(tmp_path, make):
    detector = fit_digits(net=make(), keep_snapshots=2)
    save(detector, tmp_path / "saved")
    again = load(tmp_path / "saved", net=make())
    assert np.array_equal(again.score_samples(X[NEW], NAMES[NEW]), detector.score_samples(X[NEW], NAMES[NEW]))


def test_without_it_the_scores_are_there_and_the_rest_is_said(tmp_path):
    detector = fit_digits(net=Own(), keep_snapshots=2)
    save(detector, tmp_path / "saved")
    with pytest.warns(UserWarning, match=r"saved without net=Own\(.*Pass load\(\.\.\., net=\.\.\.\)"):
        again = load(tmp_path / "saved")
    assert np.array_equal(again.score_samples(X[OLD]), detector.scores_)
    assert not hasattr(again, "net_")
    with pytest.raises(ValueError, match=r"without its net.*load\(path, net=\.\.\.\)"):
        again.score_samples(X[NEW], NAMES[NEW])


def test_another_net_is_refused(tmp_path):
    save(fit_digits(net=Own()), tmp_path / "saved")
    with pytest.raises(ValueError, match="net is not the one that the detector was fitted with"):
        load(tmp_path / "saved", net=Own(9))


def test_other_things_that_are_left_out_are_named(tmp_path):
    save(fit_digits(CurvSSFT, combine=np.minimum, random_state=np.random.RandomState(0)), tmp_path / "saved")
    with pytest.warns(UserWarning, match="saved without combine=<ufunc 'minimum'>; random_state=RandomState"):
        again = load(tmp_path / "saved")
    assert again.combine == "rank_mean"


LABEL_KINDS = {
    "text": list("abcdefghij"),
    "object_text": np.array(list("abcdefghij"), dtype=object),
    "negative": np.arange(10) - 100,
    "floats": np.arange(10.0),
    "bool": np.arange(10) % 2 == 0,
    "dates": np.arange(10).astype("datetime64[D]"),
}


@pytest.mark.parametrize("kinds", LABEL_KINDS.values(), ids=LABEL_KINDS)
def test_labels_of_many_kinds_come_back(tmp_path, kinds):
    labels = np.asarray(kinds)[LABELS]
    if labels.dtype.kind == "M":
        labels = labels.astype(str)
    detector = fit_digits(LossDetector, y=labels)
    again = _saved_and_loaded(detector, tmp_path)
    assert again.classes_.dtype == detector.classes_.dtype
    assert again.classes_.tolist() == detector.classes_.tolist()
    assert again.ranking().equals(detector.ranking())


def test_columns_keep_their_names(tmp_path):
    frame = pd.DataFrame(X).add_prefix("pixel")
    again = _saved_and_loaded(fit_digits(LossDetector, X=frame), tmp_path)
    assert list(again.feature_names_in_) == list(frame.columns)
    with pytest.raises(ValueError, match="feature names should match"):
        again.score_samples(frame.add_prefix("x"))


def test_snapshots_of_a_directory_are_copied(tmp_path):
    detector = fit_digits(keep_snapshots=2, checkpoint_dir=tmp_path / "fit")
    expected = detector.score_samples(X[NEW], NAMES[NEW])
    again = _saved_and_loaded(detector, tmp_path)
    for file in (tmp_path / "fit").rglob("*.safetensors"):
        file.unlink()
    assert np.array_equal(again.score_samples(X[NEW], NAMES[NEW]), expected)


def test_files_are_json_npz_and_safetensors_and_small(tmp_path):
    save(fitted("loss"), tmp_path / "saved")
    names = sorted(re.sub("-[0-9a-f]{32}", "", p.name) for p in tmp_path.rglob("*"))
    assert names == ["arrays.npz", "detector.json", "net.safetensors", "saved"]
    with np.load(stored(tmp_path / "saved", "arrays.npz"), allow_pickle=False) as arrays:
        assert sum(array.nbytes for array in arrays.values()) < X[OLD].nbytes * 2
    assert json.loads((tmp_path / "saved" / "detector.json").read_text())["format"] == storage.FORMAT


def test_what_is_there_is_not_written_over_unasked(tmp_path):
    save(fitted("loss"), tmp_path / "saved")
    with pytest.raises(FileExistsError, match=r"is there already.*overwrite=True"):
        save(fitted("ssft"), tmp_path / "saved")
    save(fitted("ssft"), tmp_path / "saved", overwrite=True)
    assert isinstance(load(tmp_path / "saved"), SSFTDetector)
    assert [p.name for p in tmp_path.iterdir()] == ["saved"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("")
    with pytest.raises(FileExistsError, match="holds something else than a detector"):
        save(fitted("ssft"), tmp_path / "mine", overwrite=True)


def test_a_failure_while_writing_leaves_the_old_one(tmp_path, monkeypatch):
    save(fitted("loss"), tmp_path / "saved")
    monkeypatch.setattr(storage, "write_whole", lambda *args: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(OSError, match="No space left"):
        save(fitted("ssft"), tmp_path / "saved", overwrite=True)
    assert isinstance(load(tmp_path / "saved"), LossDetector)
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
        assert {file.name for file in path.iterdir()} == {file.name for file in (tmp_path / "new").iterdir()}
    assert step > 8


def test_a_detector_that_was_loaded_is_saved_over_itself_and_keeps_its_snapshots(tmp_path):
    again = _saved_and_loaded(fitted("curvature"), tmp_path)
    save(again.set_params(verbose=1), tmp_path / "saved", overwrite=True)
    expected = fitted("curvature").score_samples(X[NEW], NAMES[NEW])
    for one in (again, load(tmp_path / "saved")):
        assert np.array_equal(one.score_samples(X[NEW], NAMES[NEW]), expected)


def test_a_detector_of_the_first_format_is_read(tmp_path):
    save(fitted("curvature"), tmp_path / "saved")
    for file in (tmp_path / "saved").iterdir():
        file.rename(file.with_name(re.sub("-[0-9a-f]{32}", "", file.name)))
    change(tmp_path / "saved", format=1)
    again, expected = load(tmp_path / "saved"), fitted("curvature")
    assert np.array_equal(again.scores_, expected.scores_)
    assert np.array_equal(again.score_samples(X[NEW], NAMES[NEW]), expected.score_samples(X[NEW], NAMES[NEW]))


def test_folders_beside_the_saved_one_stay(tmp_path):
    for name in ("saved.old", "saved.draft"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "thesis.txt").touch()
    save(fitted("loss"), tmp_path / "saved")
    save(fitted("ssft"), tmp_path / "saved", overwrite=True)
    assert len(list(tmp_path.glob("*/thesis.txt"))) == 2


def test_every_public_detector_can_be_saved():
    kinds = [getattr(curvdetect, name) for name in curvdetect.__all__ if name.endswith(("Detector", "SSFT"))]
    assert {kind.__name__ for kind in kinds} - {"BaseNoiseDetector"} == storage._DETECTORS.keys()


def test_device_of_the_loaded_net(tmp_path):
    save(fitted("loss"), tmp_path / "saved")
    again = load(tmp_path / "saved", map_location="cpu")
    assert (again.device, again.net_.device) == ("cpu", "cpu")
    change(
        tmp_path / "saved",
        params=json.loads((tmp_path / "saved/detector.json").read_text())["params"] | {"device": "cuda:7"},
    )
    if not torch.cuda.is_available():
        assert load(tmp_path / "saved").device == "cpu"
    with pytest.raises(ValueError, match="device='cud' is not known"):
        load(tmp_path / "saved", map_location="cud")


@pytest.mark.gpu
@pytest.mark.parametrize("way", ["save", "pickle"])
def test_from_the_accelerator_to_the_host(tmp_path, device, way):
    detector = fit_digits(keep_snapshots=2, device=str(device))
    again = WAYS[way](detector, tmp_path) if way == "pickle" else None
    if again is None:
        save(detector, tmp_path / "saved")
        again = load(tmp_path / "saved", map_location="cpu")
        assert next(again.net_.module_.parameters()).device.type == "cpu"
    assert np.array_equal(again.scores_, detector.scores_)
    again.device = "cpu"
    np.testing.assert_allclose(
        again.score_samples(X[NEW], NAMES[NEW]), detector.score_samples(X[NEW], NAMES[NEW]), rtol=1e-2
    )
