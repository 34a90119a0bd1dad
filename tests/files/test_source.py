"""PATH as samples and labels."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from curvdetect import read_data
from tests.cli.conftest import write_table
from tests.written import huge_png, write_pictures


def test_rows_of_numbers_are_standardized_and_shown_as_they_are_and_pictures_kept(tmp_path):
    X, y = np.arange(12.0).reshape(6, 2) * [1, 1000], ["a", "b"] * 3
    np.savez(tmp_path / "t.npz", X=X, y=y)
    for path in (tmp_path / "t.npz", write_table(tmp_path / "t.csv", X, y)):
        data = read_data(path)
        np.testing.assert_allclose(np.asarray(data.X).mean(0), 0, atol=1e-12)
        np.testing.assert_allclose(np.asarray(data.X).std(0), 1)
        assert np.array_equal(data.shown, X)
        assert (data.y.tolist(), data.rows) == (y, None)
    assert (data.label, list(data.X.columns)) == ("label", ["x0", "x1"])
    pictures = np.arange(6 * 192, dtype=np.uint8).reshape(6, 3, 8, 8)
    np.savez(tmp_path / "a.npz", X=pictures, y=y)
    assert np.array_equal(read_data(tmp_path / "a.npz").X, pictures)


def test_a_choice_is_the_same_in_every_call_and_knows_its_rows(tmp_path):
    path = write_table(tmp_path / "t.csv", np.arange(20.0).reshape(20, 1), range(20))
    first, second = (read_data(path, limit=7) for _ in range(2))
    assert first.rows.tolist() == second.rows.tolist() == sorted(first.y.tolist())
    assert len(first.X) == 7
    assert first.shown["x0"].tolist() == first.rows.tolist()
    assert first.at(np.array([3, 1])).rows.tolist() == first.rows[[3, 1]].tolist()


@pytest.mark.parametrize(
    ("path", "asked", "message"),
    [
        ("cat", {"size": 0}, "size must be a whole number, at least 1, got 0"),
        ("cat", {"size": "32"}, "size must be a whole number, at least 1, got '32'"),
        ("cat", {"limit": -1}, "limit must be a whole number, at least 1, got -1"),
        ("gone", {}, "'gone' is not there"),
        ("*.tar", {}, r"'\*.tar' is not there"),
        ("list", {}, r"labels\.csv' is no UTF-8 text .* Save it as UTF-8"),
        ("t.csv", {}, "where these are names, choose the column of labels with label=.$"),
    ],
)
def test_what_can_t_be_meant_is_named(tmp_path, monkeypatch, path, asked, message):
    monkeypatch.chdir(tmp_path)
    write_pictures(tmp_path / "cat", n=1)
    (tmp_path / "list").mkdir()
    (tmp_path / "list" / "labels.csv").write_bytes("file,label\n0.png,Köln\n".encode("latin-1"))
    (tmp_path / "t.csv").write_text("1.5,2,cat\n2,3,cat\n2,4,dog\n")
    with pytest.raises(ValueError, match=message):
        read_data(path, **asked)


@pytest.mark.parametrize("side", [10_000, 30_000])
def test_pictures_that_unfold_to_gigabytes_are_skipped(tmp_path, side):
    assert side**2 > Image.MAX_IMAGE_PIXELS
    write_pictures(tmp_path, n=2)
    (tmp_path / "cat" / "bomb.png").write_bytes(huge_png(side))
    data = read_data(tmp_path, size=8)
    assert data.paths == ["cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png"]
    assert data.X.shape == (4, 3, 8, 8)
    assert data.skipped.keys() == {"cat/bomb.png"}
    assert data.skipped["cat/bomb.png"].startswith("DecompressionBomb")
