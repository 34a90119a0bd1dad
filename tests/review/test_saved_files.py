"""Files of a saved detector: each save is whole, what no save wrote is refused, and nothing in them is executed."""

from __future__ import annotations

import io
import os
import re
import shutil
from itertools import count

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from curvdetect import (
    CurvatureNoiseDetector,
    LossDetector,
    SSFTDetector,
    load,
    save,
)
from curvdetect.review import storage
from tests.review.saving import (
    NAMES,
    NEW,
    OLD,
    X,
    change,
    described,
    files_of,
    fitted,
    saved_and_loaded,
    stored,
)
from tests.written import killed_at

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:the detector was saved without net"
)


@pytest.fixture
def saved(tmp_path):
    """Return the directory of a saved detector."""
    save(fitted("curvature"), tmp_path / "saved")
    return tmp_path / "saved"


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
