"""A folder of pictures is read class by class, and what is passed over or broken is named."""

from __future__ import annotations

import os
import pickle
import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from curvdetect import load_image_folder
from tests.written import write_pictures


def test_pictures_become_equal_squares_with_class_names(tmp_path):
    write_pictures(tmp_path)
    X, y, paths = load_image_folder(tmp_path, size=8)
    assert (X.shape, X.dtype) == ((16, 3, 8, 8), np.uint8)
    assert y.tolist() == ["cat"] * 8 + ["dog"] * 8
    assert X[y == "cat"].min() >= 120 > X[y == "dog"].mean()
    assert [p.endswith(".png") and label in p for p, label in zip(paths, y, strict=True)] == [True] * 16
    first, second = (load_image_folder(tmp_path, size=8, limit=6) for _ in range(2))  # chosen at random, and the same
    assert first.paths == second.paths
    assert len(first.paths) == len(first.X) == len(first.y) == 6
    assert all(label in path for label, path in zip(first.y, first.paths, strict=True))


BROKEN = {
    "truncated.png": lambda whole: whole[:60],
    "half.png": lambda whole: whole[: len(whole) // 2],
    "flipped.png": lambda whole: whole[:40] + bytes(255 - b for b in whole[40:]),
    "empty.jpg": lambda whole: b"",
    "text.jpg": lambda whole: b"not a picture",
    "renamed.gif": lambda whole: b"GIF89a",
}


def test_broken_files_are_reported_once_and_left_out(tmp_path):
    write_pictures(tmp_path)
    whole = (tmp_path / "cat" / "0.png").read_bytes()
    for i, (name, spoil) in enumerate(BROKEN.items()):
        (tmp_path / ("cat", "dog")[i % 2] / name).write_bytes(spoil(whole))
    (tmp_path / "cat" / "nowhere.png").symlink_to(tmp_path / "no such file")
    with pytest.warns(UserWarning, match="can't be read") as caught:
        data = load_image_folder(tmp_path, size=8)
    X, y, paths = data
    assert X.shape == (16, 3, 8, 8)
    assert len(y) == len(paths) == 16
    assert {path.rsplit("/", 1)[1] for path in data.broken} == {*BROKEN, "nowhere.png"}
    assert "UnidentifiedImageError" in data.broken[str(tmp_path / "dog" / "empty.jpg")]
    (warning,) = caught
    assert "7 of 23 pictures" in str(warning.message)
    assert ", ... (" in str(warning.message)
    assert warning.filename == __file__
    assert pickle.loads(pickle.dumps(data)).broken == data.broken


def test_pictures_of_every_mode_and_size_are_read(tmp_path):
    write_pictures(tmp_path, n=2)
    grey = np.linspace(0, 255, 20 * 30).astype(np.uint8).reshape(20, 30)
    picture = Image.fromarray(grey)
    saved = {
        "grey.png": picture,
        "black_and_white.png": picture.convert("1"),
        "sixteen.png": Image.fromarray(grey.astype(np.uint16) * 257),
        "palette.gif": picture.convert("P"),
        "transparent.png": picture.convert("RGBA"),
        "print.jpg": picture.convert("CMYK"),
        "tall.bmp": picture.resize((3, 200)),
        "wide.webp": picture.resize((200, 3)),
        "dot.TIFF": picture.resize((1, 1)),
    }
    saved |= {
        f"colours{suffix}": picture.convert("RGB") for suffix in (".jfif", ".jpe", ".avif", ".jp2", ".tga", ".qoi")
    }
    for name, one in saved.items():
        one.save(tmp_path / "cat" / name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        X, _, paths = load_image_folder(tmp_path, size=16)
    by_name = {path.rsplit("/", 1)[1]: x for path, x in zip(paths, X, strict=True)}
    assert by_name.keys() >= saved.keys()
    for name in ("sixteen.png", "palette.gif", "transparent.png", "colours.jp2", "colours.tga", "colours.qoi"):
        assert np.abs(by_name[name].astype(int) - by_name["grey.png"]).max() <= 1


def test_of_several_frames_the_first_is_read_and_that_is_said(tmp_path):
    write_pictures(tmp_path, n=1)
    first = Image.linear_gradient("L").resize((20, 20))
    first.save(tmp_path / "cat" / "0.png")
    for name in ("animated.gif", "stack.tif", "preview.mpo", "damaged.gif"):
        first.save(tmp_path / "cat" / name, save_all=True, append_images=[Image.new("L", first.size)])
    whole = (tmp_path / "cat" / "damaged.gif").read_bytes()
    (tmp_path / "cat" / "damaged.gif").write_bytes(whole[: whole.rindex(b"!\xf9") + 3])
    with pytest.warns(
        UserWarning, match=r"2 of 6 pictures .* have several frames.*: cat/animated\.gif, cat/stack"
    ) as caught:
        data = load_image_folder(tmp_path, size=8)
    assert len(caught) == 1
    assert all(np.abs(x.astype(int) - data.X[0]).max() < 5 for x in data.X[:5])


def test_what_is_passed_over_is_named_and_counted(tmp_path):
    write_pictures(tmp_path)
    with_hidden = ("cat/._0.png", "cat/.DS_Store", ".checkpoints/1/0.png", "cat/.thumbs/0.png")
    for name in with_hidden:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"no picture")
    hidden = {
        str(tmp_path / name): "hidden" for name in (".checkpoints", "cat/._0.png", "cat/.DS_Store", "cat/.thumbs")
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of what is hidden no word is lost
        assert load_image_folder(tmp_path).passed_over == hidden
    for name in ("cat/notes.txt", "cat/page.pdf", "dog/a/Thumbs.db", "dog/IMG_0001", "dog/raw.CR2", "cover.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"whatever")
    with pytest.warns(
        UserWarning, match=r"6 file\(s\) .*: cat/notes\.txt, cat/page\.pdf, cover\.png, .*, \.\.\. \(no pic"
    ):
        data = load_image_folder(tmp_path)
    assert len(data.X) == 16
    assert len(data.passed_over) == 10
    assert list(data.passed_over)[6:] == sorted(hidden)
    assert "in no class" in data.passed_over[str(tmp_path / "cover.png")]
    assert pickle.loads(pickle.dumps(data)).passed_over == data.passed_over


def test_folders_that_cannot_be_looked_into_are_named(tmp_path, monkeypatch):
    write_pictures(tmp_path)
    shut = tmp_path / "cat" / "shut"
    shut.mkdir()
    scandir = os.scandir

    def refusing(path):
        if os.fspath(path) == str(shut):
            raise PermissionError(13, "Permission denied", str(shut))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.warns(UserWarning, match=r"cat/shut \(PermissionError: Permission denied\)"):
        assert load_image_folder(tmp_path).passed_over.keys() == {str(shut)}


def test_heic_is_read_where_pillow_heif_is(tmp_path, monkeypatch):
    write_pictures(tmp_path, n=2)
    Image.open(tmp_path / "cat" / "0.png").save(tmp_path / "cat" / "a.HEIC", "PNG")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as if it were not installed
    with pytest.warns(UserWarning, match=r"cat/a\.HEIC \(\.heic needs the package pillow-heif\)"):
        assert len(load_image_folder(tmp_path).X) == 4

    def register_heif_opener():
        monkeypatch.setitem(Image.EXTENSION, ".heic", "PNG")

    monkeypatch.setitem(sys.modules, "pillow_heif", SimpleNamespace(register_heif_opener=register_heif_opener))
    data = load_image_folder(tmp_path)
    assert (len(data.X), data.passed_over) == (5, {})


def test_pictures_come_in_the_order_of_torchvisions_folders(tmp_path):
    from torchvision.datasets import ImageFolder

    write_pictures(tmp_path)
    (tmp_path / "cat" / "a" / "b").mkdir(parents=True)
    for place in ("a/b/1.png", "a/2.png", "a/b/0.png"):
        Image.new("RGB", (9, 9)).save(tmp_path / "cat" / place)
    assert load_image_folder(tmp_path).paths == [path for path, _ in ImageFolder(tmp_path).samples]


def test_empty_classes_and_parts_of_a_data_set_taken_for_classes_are_warned_of(tmp_path):
    write_pictures(tmp_path)
    (tmp_path / "emu").mkdir()
    with pytest.warns(UserWarning, match=r"1 class\(es\) without a picture: emu\. "):
        assert sorted(set(load_image_folder(tmp_path).y)) == ["cat", "dog"]
    for name, part in {"cat": "train", "dog": "Val"}.items():
        (tmp_path / name).rename(tmp_path / part)
    with pytest.warns(UserWarning, match=r"classes 'Val', 'train', .*parts of a data set.*pass one of them.*Val'\."):
        assert sorted(set(load_image_folder(tmp_path).y)) == ["Val", "train"]


def test_links_that_lead_round_are_followed_once(tmp_path):
    root = tmp_path / "photos"
    write_pictures(root, n=2)
    for name, target in {"a": root / "cat", "b": root, "c": root / "dog"}.items():
        (root / "cat" / name).symlink_to(target)
        (root / "dog" / name).symlink_to(target)
    data = load_image_folder(root, size=8)
    assert {path for path in data.paths if path.count("/") == len(root.parts) + 1} == {
        str(root / label / f"{i}.png") for label in ("cat", "dog") for i in range(2)
    }
    assert len(data.paths) < 20


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without named pipes")
@pytest.mark.filterwarnings("ignore:1 of 5 pictures")
def test_a_pipe_is_no_picture_to_wait_for(tmp_path):
    write_pictures(tmp_path, n=2)
    os.mkfifo(tmp_path / "cat" / "pipe.png")
    data = load_image_folder(tmp_path, size=8)
    assert len(data.paths) == 4
    assert data.broken == {str(tmp_path / "cat" / "pipe.png"): "OSError: no regular file"}
