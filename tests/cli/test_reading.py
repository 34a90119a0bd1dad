"""PATH as samples and labels."""

from __future__ import annotations

import struct
import zlib

import click
import numpy as np
import pytest
from PIL import Image

from curvdetect.cli.console import Failure
from curvdetect.cli.reading import read_data
from tests.cli.conftest import write_table
from tests.files import write_pictures


def huge_png(side: int) -> bytes:
    """Return a file of a few hundred bytes that claims to be a picture of ``side`` by ``side`` pixels."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def test_numbers_of_tables_are_standardized(tmp_path):
    X = np.arange(12.0).reshape(6, 2) * [1, 1000]
    data = read_data(write_table(tmp_path / "t.csv", X, [0, 1] * 3))
    assert list(data.X.columns) == ["x0", "x1"]
    np.testing.assert_allclose(data.X.to_numpy().mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(data.X.to_numpy().std(0), 1)
    assert (data.kind, data.label, len(data.y), data.rows) == ("table", "label", 6, None)


def test_a_choice_is_the_same_in_every_call_and_knows_its_rows(tmp_path):
    path = write_table(tmp_path / "t.csv", np.arange(20.0).reshape(20, 1), range(20))
    first, second = (read_data(path, limit=7) for _ in range(2))
    assert first.rows.tolist() == second.rows.tolist() == sorted(first.y.tolist())
    assert len(first.X) == 7
    assert first.shown["x0"].tolist() == first.rows.tolist()


def test_arrays_keep_their_pictures(tmp_path):
    X = np.random.default_rng(0).integers(0, 256, (6, 3, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", X=X, y=np.array(["a", "b"] * 3))
    data = read_data(tmp_path / "a.npz")
    assert np.array_equal(data.X, X)
    assert data.y.tolist() == ["a", "b"] * 3


def test_rows_of_numbers_are_standardized_and_shown_as_they_are(tmp_path):
    X = np.arange(12.0).reshape(6, 2)
    np.savez(tmp_path / "a.npz", X=X, y=np.array(["a", "b"] * 3))
    data = read_data(tmp_path / "a.npz")
    np.testing.assert_allclose(data.X.std(0), 1)
    assert np.array_equal(data.shown, X)


ARRAYS = {
    "names": ({"images": np.zeros(3), "y": np.zeros(3)}, "holds 'images', 'y': it needs an array X"),
    "lengths": ({"X": np.zeros((3, 2)), "y": np.zeros(4)}, "3 samples in X and 4 labels in y"),
    "text as objects": (
        {"X": np.zeros((2, 2)), "y": np.array(["a", "b"], dtype=object)},
        r"Object arrays .*\. Save text as text: y=np.array\(labels, dtype=str\)\.$",
    ),
    "objects": ({"X": np.array([{}, {}]), "y": np.zeros(2)}, "Object arrays cannot be loaded"),
}


@pytest.mark.parametrize(("arrays", "message"), ARRAYS.values(), ids=ARRAYS)
def test_what_is_wrong_with_arrays_is_said(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(Failure, match=message):
        read_data(tmp_path / "a.npz")


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x03\x04 torn", b"no zip at all"])
def test_torn_arrays_are_refused(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(Failure, match=r"can't be read as an \.npz of plain arrays") as error:
        read_data(tmp_path / "a.npz")
    assert "pickle" not in error.value.message  # no advice to load it all the same


def test_pictures_are_named_from_the_folder_on(tmp_path):
    write_pictures(tmp_path / "photos", n=2)
    data = read_data(tmp_path / "photos", size=8)
    assert data.paths == ["cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png"]
    assert data.X.shape == (4, 3, 8, 8)


@pytest.mark.parametrize("side", [10_000, 30_000])
def test_pictures_that_unfold_to_gigabytes_are_skipped(tmp_path, side):
    assert side**2 > Image.MAX_IMAGE_PIXELS
    write_pictures(tmp_path)
    (tmp_path / "cat" / "bomb.png").write_bytes(huge_png(side))
    data = read_data(tmp_path, size=8)
    assert len(data.y) == 16
    assert data.skipped.keys() == {"cat/bomb.png"}
    assert data.skipped["cat/bomb.png"].startswith("DecompressionBomb")


def test_other_files_are_refused(tmp_path):
    (tmp_path / "a.txt").touch()
    with pytest.raises(click.BadParameter, match=r"neither a folder .* nor a file that ends in \.csv"):
        read_data(tmp_path / "a.txt")


@pytest.mark.parametrize("options", [{"label": "y"}, {"drop": ("a",)}])
def test_columns_go_with_tables(tmp_path, options):
    with pytest.raises(click.UsageError, match="columns of a table"):
        read_data(tmp_path, **options)
