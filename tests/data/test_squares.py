"""Pictures that are opened when they are looked at, and all of them as squares, read by several threads."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from curvdetect.data import squares
from curvdetect.data.squares import Pictures, Squares, files


@pytest.fixture
def many(tmp_path):
    """Forty pictures of 8 and of 16 bits in files, and the paths."""
    rng, paths = np.random.default_rng(0), []
    for i in range(40):
        paths.append(tmp_path / f"{i}.png")
        deep = i % 3 == 0  # the first of them use fewer bits than the last
        pixels = (
            rng.integers(0, 2 ** (9 + i // 8), (9, 12)).astype(np.uint16) if deep else rng.integers(0, 256, (9, 12))
        )
        Image.fromarray(pixels if deep else pixels.astype(np.uint8)).save(paths[-1])
    return files(paths, [path.name for path in paths]), paths


def test_threads_read_what_one_reads_and_the_range_of_16_bits_is_that_of_all(many, monkeypatch):
    pictures, _ = many
    together = Squares(pictures, 6)
    monkeypatch.setattr(squares, "_THREADS", 1)
    alone = Squares(pictures.only(range(39, -1, -1)), 6)
    assert together.bits == alone.bits == 13
    assert np.array_equal(together.X, alone.X[::-1])


@pytest.mark.parametrize("in_memory", [2**29, 0], ids=["in memory", "in a file"])
def test_what_is_broken_is_named_and_the_others_keep_their_order(many, monkeypatch, in_memory):
    pictures, paths = many
    whole = Squares(pictures, 6).X
    for i in (0, 7, 8, 39):
        paths[i].write_bytes(b"no picture")
    monkeypatch.setattr(squares, "_IN_MEMORY", in_memory)
    found = Squares(pictures, 6)
    assert isinstance(found.X, np.memmap) == (in_memory == 0)
    assert list(found.broken) == [0, 7, 8, 39]
    assert all(why.startswith("UnidentifiedImageError") for why in found.broken.values())
    assert np.array_equal(found.X, whole[found.kept])


def test_several_are_read_at_a_time_and_ctrl_c_ends_it(monkeypatch):
    monkeypatch.setattr(squares, "_THREADS", 2)
    both = threading.Barrier(2, timeout=20)

    def opened(number):
        both.wait()  # passes only where two threads are here
        return Image.new("L", (4, 4))

    assert Squares(Pictures(["a", "b"], opened), 4).X.shape == (2, 3, 4, 4)
    calls = []

    def interrupted(number):
        calls.append(number)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Squares(Pictures([""] * 1000, interrupted), 4)
    assert len(calls) < 1000


def test_a_picture_that_is_looked_at_is_that_of_the_file_and_a_large_one_is_read_at_a_fraction(tmp_path):
    Image.new("RGB", (2000, 1500), "red").save(tmp_path / "large.jpg")
    Image.new("I;16", (8, 4)).save(tmp_path / "deep.png")
    names = ["large.jpg", "deep.png"]
    pictures = files([tmp_path / name for name in names], names)
    large, deep = pictures
    assert large.size == (500, 375)
    assert (deep.size, deep.mode) == ((8, 4), "I;16")
    assert pictures.only([1])[-1].size == deep.size
    with pytest.raises(OSError, match="no regular file"):
        files([Path("/dev/null")], ["null"])[0]
