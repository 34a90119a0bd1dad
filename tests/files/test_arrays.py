"""Arrays in .npy and .npz files, with labels beside them or in a file of their own."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curvdetect import FusedDetector, LeaveOneOutDetector, read_data
from curvdetect.files.array_names import chosen_names
from curvdetect.files.labelled import Asked
from curvdetect.files.registry import opened
from tests.cases import noisy_digits

X, LABELS, MASK, TRUE = noisy_digits(200)
NAMES = np.array([f"digit {label}" for label in LABELS])
FOUND = np.array([f"digit {label}" for label in TRUE])


def _found(data):
    """Return how many of the labels that are wrong are among as many suspects."""
    detector = LeaveOneOutDetector(q=int(MASK.sum()), device="cpu", random_state=0).fit(data.X, data.y)
    return MASK[detector.labels_ == 1].mean()


def _as_csv(path):
    pd.DataFrame({"id": range(200), "kind": NAMES, "note": ['a "word", and more'] * 200}).to_csv(path, index=False)
    return {"label": "kind"}


def _as_parquet(path):
    pytest.importorskip("pyarrow")
    pd.DataFrame({"label": NAMES}).to_parquet(path)


WAYS = {
    "labels.csv": _as_csv,
    "labels.parquet": _as_parquet,
    "labels.npy": lambda path: np.save(path, NAMES),
    "labels.txt": lambda path: path.write_bytes("\r\n".join([*NAMES, "", ""]).encode()),
    "bare.csv": lambda path: path.write_text("\n".join(NAMES)),
    "named.txt": lambda path: path.write_text("label\n" + "\n".join(NAMES)),
}


@pytest.mark.parametrize("name", WAYS)
def test_embeddings_with_labels_in_a_file_of_their_own(tmp_path, name):
    np.save(tmp_path / "vectors.npy", X)
    labels = tmp_path / name
    asked = WAYS[name](labels)
    asked = {**(asked if isinstance(asked, dict) else {}), "labels": labels}
    data = read_data(tmp_path / "vectors.npy", **asked)
    assert np.array_equal(data.X, X)
    assert data.y.tolist() == NAMES.tolist()
    assert _found(data) > 0.7
    file = opened(tmp_path / "vectors.npy", Asked(**{**asked, "labels": str(labels)}))
    assert labels.name.endswith(file.copies)
    right = tmp_path / f"right{labels.suffix}"
    file.write(right, np.where(MASK, FOUND, NAMES))
    again = read_data(tmp_path / "vectors.npy", **{**asked, "labels": right})
    assert again.y.tolist() == FOUND.tolist()
    file.write(tmp_path / "same", file.labels)
    if labels.suffix != ".parquet":
        assert (tmp_path / "same").read_bytes() == labels.read_bytes()
        assert len(right.read_bytes()) == len(labels.read_bytes())


def test_a_large_file_is_read_as_needed_and_a_part_by_its_places(tmp_path):
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", LABELS)
    data = read_data(tmp_path / "x.npy", labels=tmp_path / "y.npy")
    assert isinstance(data.X.base, np.memmap) or isinstance(data.X, np.memmap)
    some = read_data(tmp_path / "x.npy", labels=tmp_path / "y.npy", limit=20)
    assert np.array_equal(some.X, X[some.rows])
    assert np.array_equal(some.y, LABELS[some.rows])


ROWS, ONE, COLUMN, COLOURS = (9, 4), (9,), (9, 1), (9, 28, 28, 3)
CHOSEN = [
    ({"X": ROWS, "y": ONE, "features": ROWS, "other": ONE}, {}, ("X", "y")),
    ({"embeddings": ROWS, "labels": ONE}, {}, ("embeddings", "labels")),
    ({"features": ROWS, "targets": ONE, "ids": ONE}, {}, ("features", "targets")),
    ({"a": ROWS, "b": ONE}, {}, ("a", "b")),
    ({"arr_0": COLOURS, "arr_1": COLUMN}, {}, ("arr_0", "arr_1")),
    ({"images": ROWS, "species": ONE}, {}, ("images", "species")),
    ({"x_train": ROWS, "y_train": ONE}, {}, ("x_train", "y_train")),
    ({"x_train": ROWS, "y_train": ONE, "x_test": ROWS, "y_test": ONE}, {"split": "test"}, ("x_test", "y_test")),
    ({f"{part}_{kind}": shape for part in ("train", "val", "test") for kind, shape in
      (("images", COLOURS), ("labels", COLUMN))}, {"split": "validation"}, ("val_images", "val_labels")),
    ({"images": ROWS, "embeddings": ROWS, "fine": ONE, "coarse": ONE},
     {"samples": "embeddings", "label": "coarse"}, ("embeddings", "coarse")),
    ({"vectors": ROWS}, {"labels": "y.csv"}, ("vectors", "")),
]  # fmt: skip


@pytest.mark.parametrize(("shapes", "asked", "chosen"), CHOSEN)
def test_arrays_are_chosen_by_name_and_shape_where_there_is_one_way(shapes, asked, chosen):
    assert chosen_names(shapes, Asked(**asked), "a.npz") == chosen


REFUSED = {
    "several": (
        {"images": ROWS, "embeddings": ROWS, "labels": ONE},
        {},
        "samples may be 'images', 'embeddings'.*sampl",
    ),
    "several labels": (
        {"X": ROWS, "fine": ONE, "coarse": ONE},
        {},
        "labels may be 'fine', 'coarse'. Name one by label",
    ),
    "parts": ({"x_train": ROWS, "x_test": ROWS, "y_train": ONE, "y_test": ONE}, {}, "Choose one of 'test', 'train' by"),
    "no part": ({"X": ROWS, "y": ONE}, {"split": "train"}, "holds 'X', 'y', and no samples of a part 'train'"),
    "no name": ({"X": ROWS, "y": ONE}, {"samples": "Z"}, "holds 'X', 'y', and no array 'Z'"),
    "no label": ({"X": ROWS, "y": ONE}, {"label": "z"}, "and no array 'z'"),
    "no labels": ({"X": ROWS, "Z": ROWS}, {}, "it needs an array X of samples and an array y of labels"),
    "lengths": ({"X": ROWS, "y": (4,)}, {}, "9 samples in X and 4 labels"),
    "one number each": ({"X": ONE, "y": ONE}, {}, "no samples in X and 9 labels"),
    "one-hot": ({"X": ROWS, "y": (9, 3)}, {}, "For several labels|one-hot labels pass the argmax"),
}


@pytest.mark.parametrize(("shapes", "asked", "message"), REFUSED.values(), ids=REFUSED)
def test_what_can_t_be_told_is_refused_by_name(tmp_path, shapes, asked, message):
    np.savez(tmp_path / "a.npz", **{name: np.zeros(shape) for name, shape in shapes.items()})
    with pytest.raises(ValueError, match=message) as raised:
        read_data(tmp_path / "a.npz", **asked)
    assert "can't be read" not in str(raised.value)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_file_of_medmnist_s_form_to_a_corrected_one(tmp_path):
    pictures = np.repeat((X.reshape(-1, 8, 8, 1) * 255).astype(np.uint8), 3, axis=3)
    parts = {"train_images": pictures, "train_labels": LABELS[:, None].astype(np.uint8)}
    parts |= {"test_images": pictures[:5], "test_labels": LABELS[:5, None].astype(np.uint8)}
    np.savez_compressed(tmp_path / "a.npz", **parts)
    data = read_data(tmp_path / "a.npz", split="train")
    assert data.X.shape == (200, 3, 8, 8)
    assert np.array_equal(data.X[:, 0], pictures[..., 0])
    detector = FusedDetector(q=int(MASK.sum()), max_epochs=5, device="cpu", random_state=0)
    detector.fit(data.X, data.y)
    assert MASK[detector.labels_ == 1].mean() > 0.6
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as old:
        old.writestr("README.txt", "no array")
    opened(tmp_path / "a.npz", Asked(split="train")).write(tmp_path / "b.npz", TRUE.astype(np.int64))
    with zipfile.ZipFile(tmp_path / "a.npz") as old, zipfile.ZipFile(tmp_path / "b.npz") as new:
        assert old.namelist() == new.namelist()
        changed = {name for name in old.namelist() if old.read(name) != new.read(name)}
        assert changed == {"train_labels.npy"}
        found = np.load(io.BytesIO(new.read("train_labels.npy")))
    assert (found.dtype, found.shape) == (np.uint8, (200, 1))
    assert np.array_equal(found.ravel(), TRUE)


@pytest.mark.parametrize(
    ("shape", "read"),
    [((6, 28, 28, 3), (6, 3, 28, 28)), ((6, 28, 28, 1), (6, 1, 28, 28)), ((6, 3, 28, 28), (6, 3, 28, 28)),
     ((6, 28, 28), (6, 28, 28)), ((6, 3, 28, 3), (6, 3, 28, 3))],
)  # fmt: skip
def test_channels_go_first_where_they_are_last_without_a_doubt(tmp_path, shape, read):
    np.save(tmp_path / "x.npy", np.zeros(shape, np.uint8))
    np.save(tmp_path / "y.npy", [0, 1] * 3)
    assert read_data(tmp_path / "x.npy", labels=tmp_path / "y.npy").X.shape == read


def _files(folder):
    np.save(folder / "x.npy", X)
    np.save(folder / "short.npy", LABELS[:-1])
    np.save(folder / "objects.npy", np.array(["a"] * 200, dtype=object))
    np.save(folder / "words.npy", NAMES[:, None].repeat(2, 1))
    np.save(folder / "y.npy", LABELS)
    (folder / "torn.npy").write_bytes(b"\x93NUMPY")
    (folder / "pickle.npy").write_bytes(b"\x80\x04K\x01.")
    (folder / "gap.txt").write_text("a\n\nb\n")
    (folder / "empty.txt").write_text("\n\n")
    (folder / "latin.txt").write_bytes("grün".encode("latin-1"))
    (folder / "wide.txt").write_bytes("cat\n".encode("utf-16-le"))
    (folder / "x.json").write_text("[]")


WRONG = {
    "no labels": (("x.npy", {}), "shape \\(200, 64\\) and no labels. Pass their file"),
    "labels alone": (("y.npy", {}), "holds labels and no samples. Pass the probabilities .* by probs="),
    "lines alone": (("gap.txt", {}), "no label in 1 of 3 lines, the first of them line 2"),
    "lengths": (("x.npy", {"labels": "short.npy"}), "200 samples .* and 199 labels in '.*short.npy'"),
    "objects": (("x.npy", {"labels": "objects.npy"}), "Save text as text"),
    "torn": (("torn.npy", {"labels": "y.npy"}), "can't be read as an .npy of plain numbers"),
    "a pickle": (("pickle.npy", {"labels": "y.npy"}), "can't be read as an .npy"),
    "words": (("words.npy", {"labels": "y.npy"}), "that are no numbers"),
    "several labels": (("x.npy", {"labels": "words.npy"}), "labels are one for each sample"),
    "empty": (("x.npy", {"labels": "empty.txt"}), "is empty"),
    "encoding": (("x.npy", {"labels": "latin.txt"}), "no UTF-8 text"),
    "other bytes": (("x.npy", {"labels": "wide.txt"}), "holds NUL bytes, as UTF-16 does"),
    "other kinds": (("x.npy", {"labels": "x.json"}), "is none of these: a table"),
    "nothing": (("x.npy", {"labels": "z.csv"}), "is no file"),
    "a column of none": (("x.npy", {"labels": "y.npy", "label": "kind"}), "has no columns: leave label= out"),
    "an array of none": (("x.npy", {"labels": "y.npy", "samples": "X"}), "samples= does not belong to an .npy file"),
}


@pytest.mark.parametrize(("call", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_with_files_is_said(tmp_path, call, message, monkeypatch):
    _files(tmp_path)
    monkeypatch.chdir(tmp_path)
    name, asked = call
    with pytest.raises(ValueError, match=message) as raised:
        read_data(name, **asked)
    assert len(str(raised.value)) < 400


@given(
    labels=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0\ufeff"), min_size=1), min_size=2),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    data=st.data(),
)
def test_lines_are_written_back_as_they_were(tmp_path_factory, labels, end, data):
    path = tmp_path_factory.mktemp("lines") / "y.txt"
    path.write_bytes(end.join([*labels, ""]).encode())
    file = opened(path, Asked())
    given = file.labels.tolist()
    header = len(labels) - len(given)
    assert [str(label) for label in given] == labels[header:]
    if given:
        other = data.draw(st.permutations(range(len(given))))
        file.write(path.with_name("new.txt"), file.labels[other])
        expected = [*labels[:header], *(labels[header + i] for i in other)]
        assert path.with_name("new.txt").read_bytes().decode() == end.join([*expected, ""])
