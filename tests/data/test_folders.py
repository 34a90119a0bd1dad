import numpy as np
import pytest

from curvdetect import load_image_folder
from tests.files import write_pictures


def test_pictures_become_equal_squares_with_class_names(tmp_path):
    write_pictures(tmp_path)
    X, y, paths = load_image_folder(tmp_path, size=8)
    assert X.shape == (16, 3, 8, 8)
    assert X.dtype == np.uint8
    assert y.tolist() == ["cat"] * 8 + ["dog"] * 8
    assert X[y == "cat"].min() >= 120 > X[y == "dog"].mean()
    assert [p.endswith(".png") and label in p for p, label in zip(paths, y, strict=True)] == [True] * 16


def test_a_limit_takes_the_same_random_choice_every_time(tmp_path):
    write_pictures(tmp_path)
    first, second = (load_image_folder(tmp_path, size=8, limit=6) for _ in range(2))
    assert first.paths == second.paths
    assert len(first.paths) == len(first.X) == len(first.y) == 6
    assert all(label in path for label, path in zip(first.y, first.paths, strict=True))


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"root=.*nowhere"):
        load_image_folder(tmp_path / "nowhere")
