"""Files that no save wrote, or that are torn, are refused by name, and nothing in them is executed."""

from __future__ import annotations

import io
import json
import os

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from curvdetect import LossDetector, load, save
from curvdetect.review import storage
from tests.review.saved import change, fitted, stored

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


FILES = ["arrays.npz", "net.safetensors", "detector.json", "snapshot-0001.safetensors"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("harm", ["cut", "gone"])
def test_a_file_that_is_torn_or_gone_is_named(tmp_path, name, harm):
    save(fitted("curvature"), tmp_path / "saved")
    file = stored(tmp_path / "saved", name)
    if harm == "cut":
        file.write_bytes(file.read_bytes()[:-9])
    else:
        file.unlink()
    with pytest.raises((ValueError, FileNotFoundError), match=rf"{file.name}.*(torn|can't be read)|no {name} in it"):
        load(tmp_path / "saved")


class Executed:
    def __reduce__(self):
        return os.mkdir, ("executed",)


def test_a_forged_file_is_not_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(fitted("loss"), tmp_path / "saved")
    content = io.BytesIO()
    np.savez(content, **{"array-0": np.array([Executed()], dtype=object)})
    files = json.loads((tmp_path / "saved" / "detector.json").read_text())["files"]
    files["arrays.npz"] = storage._digest(content.getvalue())
    (tmp_path / "saved" / f"arrays-{files['arrays.npz']}.npz").write_bytes(content.getvalue())
    change(tmp_path / "saved", files=files)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        load(tmp_path / "saved")
    assert not (tmp_path / "executed").exists()


FORGED = {
    "class": ({"detector": "os.system"}, "knows no detector 'os.system'"),
    "method": ({"attributes": {"fit": 1}}, "attribute 'fit', which is no result"),
    "magic": ({"attributes": {"__class__": 1}}, "attribute '__class__', which is no result"),
    "newer": ({"format": 99, "curvdetect": "9.9"}, r"format 99 by curvdetect 9\.9.*upgrade curvdetect"),
    "parameter": ({"params": {"colour": 1}}, "parameter.*colour"),
}


@pytest.mark.parametrize(("forged", "message"), FORGED.values(), ids=FORGED)
def test_what_no_save_wrote_is_refused(tmp_path, forged, message):
    save(fitted("loss"), tmp_path / "saved")
    change(tmp_path / "saved", **forged)
    with pytest.raises(ValueError, match=message):
        load(tmp_path / "saved")


def test_no_file_outside_the_directory_is_read(tmp_path):
    save(fitted("loss"), tmp_path / "saved")
    inside = stored(tmp_path / "saved", "net.safetensors")
    inside.rename(tmp_path / inside.name)
    saved = json.loads((tmp_path / "saved" / "detector.json").read_text())
    digest = saved["files"].pop("net.safetensors")
    for forged in ({"../net.safetensors": digest}, {"net.safetensors": f"/../../net-{digest}"}):
        change(tmp_path / "saved", files=saved["files"] | forged)
        with pytest.raises(ValueError, match="can't be read"):
            load(tmp_path / "saved")


def test_what_is_no_fitted_detector_is_refused(tmp_path):
    with pytest.raises(TypeError, match=r"save knows curvdetect's own detectors, got dict"):
        save({}, tmp_path / "saved")
    with pytest.raises(NotFittedError):
        save(LossDetector(), tmp_path / "saved")
    with pytest.raises(FileNotFoundError, match=r"holds no saved detector: there is no detector\.json"):
        load(tmp_path / "nothing")

    class Mine(LossDetector):
        pass

    with pytest.raises(TypeError, match=r"got Mine.*joblib\.dump"):
        save(Mine(), tmp_path / "saved")
