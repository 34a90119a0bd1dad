"""A saved detector comes back with everything, in whatever way it is saved."""

from __future__ import annotations

import copy
import pickle
from datetime import date

import cloudpickle
import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from skorch import NeuralNetClassifier
from torch import nn

from curvdetect import (
    CurvSSFT,
    LossDetector,
    load,
    memorizing_net,
    save,
)
from curvdetect.training import nets
from curvdetect.training.nets import ResNet
from tests.review.saving import (
    KINDS,
    LABELS,
    NAMES,
    NEW,
    OLD,
    X,
    change,
    described,
    files_of,
    fit_digits,
    fitted,
    saved_and_loaded,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:the detector was saved without net"
)

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
