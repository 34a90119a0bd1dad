"""Hugging Face datasets: folders of pictures, Parquet, streams, formats, and names of classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from curvdetect import LeaveOneOutDetector, read_data
from tests.cases import noisy_digits
from tests.files.planted import NAMES, planted

pytestmark = pytest.mark.meets("datasets")
datasets = pytest.importorskip("datasets")


@pytest.fixture
def folder(tmp_path):
    """A folder of classes with four pictures in wrong ones, named by their places."""
    pictures, labels, _ = planted()
    for i, (picture, code) in enumerate(zip(pictures, labels, strict=True)):
        (tmp_path / "photos" / NAMES[code]).mkdir(exist_ok=True, parents=True)
        picture.save(tmp_path / "photos" / NAMES[code] / f"{i:02}.png")
    return tmp_path / "photos"


@pytest.fixture
def loaded(folder, tmp_path):
    datasets.disable_progress_bars()
    return datasets.load_dataset("imagefolder", data_dir=str(folder), split="train", cache_dir=str(tmp_path / "cache"))


def found(dataset):
    """Return the ranking of the four most suspect samples."""
    return LeaveOneOutDetector(device="cpu", random_state=0).fit(dataset).ranking(4)


def places(dataset, index):
    return sorted(int(Path(dataset[int(i)]["image"].filename).stem) for i in index)


def test_a_folder_of_pictures_is_ranked_as_it_is_loaded(loaded):
    """`load_dataset("imagefolder")` as `X`: the four planted files are named, under the names of their folders."""
    _, labels, wrong = planted()
    ranking = found(loaded)
    assert places(loaded, ranking["index"]) == wrong
    assert sorted(ranking["given"]) == sorted(NAMES[labels[i]] for i in wrong)
    shuffled = loaded.shuffle(seed=0)
    assert places(shuffled, found(shuffled)["index"]) == wrong


def test_a_stream_is_refused_and_read_with_its_kinds(folder, tmp_path, loaded):
    """A stream is refused with what to pass; read by `Dataset.from_list` with its features, it is ranked alike."""
    stream = datasets.load_dataset(
        "imagefolder", data_dir=str(folder), split="train", streaming=True, cache_dir=str(tmp_path / "cache")
    )
    with pytest.raises(TypeError, match=r"IterableDataset, whose samples have no index.*pass a map-style Dataset"):
        found(stream)
    read = datasets.Dataset.from_list(list(stream), features=stream.features)
    assert sorted(found(read)["given"]) == sorted(found(loaded)["given"])


def test_parquet_of_pictures_keeps_names_of_classes(tmp_path, loaded):
    """Pictures that `to_parquet` wrote: `read_data` gives the names of the classes, and so does loading it again."""
    loaded.to_parquet(tmp_path / "photos.parquet")
    data = read_data(tmp_path / "photos.parquet", size=8)
    assert data.y.tolist() == [NAMES[code] for code in loaded["label"]]
    ranking = LeaveOneOutDetector(device="cpu", random_state=0).fit(data.X, data.y).ranking(4)
    assert set(ranking["index"]) == set(found(loaded)["index"])
    again = datasets.load_dataset(
        "parquet", data_files=str(tmp_path / "photos.parquet"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert set(found(again)["index"]) == set(found(loaded)["index"])


@pytest.mark.parametrize("form", ["numpy", "torch"])
def test_formats_of_tensors_change_no_score(form):
    """`with_format` "numpy" and "torch" change no score; "pandas" and "arrow" are refused with what they yield."""
    X, labels, mask, _ = noisy_digits(200)
    table = datasets.Dataset.from_dict({"x": X.tolist(), "label": labels})
    detector = LeaveOneOutDetector(q=15, device="cpu", random_state=0).fit(table)
    assert mask[detector.labels_ == 1].mean() > 0.8
    scores = LeaveOneOutDetector(device="cpu", random_state=0).fit(table.with_format(form)).scores_
    np.testing.assert_allclose(scores, detector.scores_, rtol=1e-4)
    for frames in ("pandas", "arrow"):
        with pytest.raises(ValueError, match=r"X\[0\] yields a (pandas|pyarrow).*a network needs a tensor"):
            found(table.with_format(frames))


def test_codes_of_class_encode_column_are_shown_by_their_names():
    """Labels of `class_encode_column` are ranked under their names, not their codes.

    It sorts numbers as text: the code 1 is the class 10.
    """
    X, labels, mask, _ = noisy_digits(200)
    table = datasets.Dataset.from_dict({"x": X.tolist(), "label": labels + 2}).class_encode_column("label")
    assert table.features["label"].names[:3] == ["10", "11", "2"]
    detector = LeaveOneOutDetector(q=15, device="cpu", random_state=0).fit(table)
    assert detector.ranking()["given"].sort_index().tolist() != labels.tolist()
    assert [int(name) - 2 for name in detector.ranking().sort_values("index")["given"]] == labels.tolist()
    assert mask[detector.labels_ == 1].mean() > 0.8
