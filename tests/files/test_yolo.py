"""YOLO folders: each box a picture, and the files of labels that change in a folder of their own."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from curvdetect import LeaveOneOutDetector, read_data
from curvdetect.files.labelled import Asked
from curvdetect.files.registry import opened
from tests.files.boxes import CLASSES, HEIGHT, WIDTH, draw_shapes
from tests.written import write_pictures

WRONG = (4, 23, 50)
YAML = "path: ../datasets/shapes  # root\ntrain: images/train\nval: images/val\ntest:  # (optional)\n\nnames:\n"
YAML += "".join(f"  {i}: {name}\n" for i, name in enumerate(CLASSES))


def line(kind: int, box) -> str:
    x, y, w, h = box
    return f"{kind} {(x + w / 2) / WIDTH:.6f} {(y + h / 2) / HEIGHT:.6f} {w / WIDTH:.6f} {h / HEIGHT:.6f}\n"


def write_yolo(root: Path, n: int = 24, wrong=(), val=range(3), images="images/{}", labels="labels/{}") -> list[int]:
    """Write shapes as ultralytics lays them out, a few pictures in val; return their right classes."""
    drawn = root / "drawn"
    shapes = draw_shapes(drawn, n)
    for number, shape in enumerate(shapes):
        part = "val" if shape.image in val else "train"
        for folder in (images, labels):
            (root / folder.format(part)).mkdir(parents=True, exist_ok=True)
        picture = drawn / f"{shape.image}.png"
        if picture.exists():
            picture.rename(root / images.format(part) / picture.name)
        with (root / labels.format(part) / f"{shape.image}.txt").open("a") as file:
            file.write(line((shape.kind + (number in wrong)) % 3, shape.box))
    drawn.rmdir()
    return [shape.kind for shape in shapes]


def all_bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.txt")}


def test_wrong_classes_are_found_and_the_lines_that_change_are_written(tmp_path):
    source = tmp_path / "shapes"
    kinds = write_yolo(source, wrong=WRONG)
    (source / "data.yaml").write_text(YAML)
    data = read_data(source, size=16)
    assert data.paths[:2] == ["images/train/10.png#1", "images/train/10.png#2"]
    assert data.columns["line"][:4] == [1, 2, 3, 1]
    number = {name: 3 * int(Path(name).stem) + int(name[-1]) - 1 for name in data.paths}
    ranking = LeaveOneOutDetector().fit(data.X, data.y).ranking(len(WRONG))
    assert {number[data.paths[i]] for i in ranking["index"]} == set(WRONG)
    cleaned = data.y.copy()
    cleaned[ranking["index"]] = ranking["suggested"]
    opened(source, Asked()).write(tmp_path / "new", cleaned)
    assert write_yolo(tmp_path / "right") == kinds
    right = all_bytes(tmp_path / "right")
    names = [f"labels/{part}/{WRONG[i] // 3}.txt" for i, part in enumerate(("val", "train", "train"))]
    assert all_bytes(tmp_path / "new") == {name: right[name] for name in names}
    assert {len(read_data(source, split=part).X) for part in ("train", "val", "all")} == {63, 9, 72}


@pytest.mark.parametrize(
    ("images", "labels", "config"),
    [
        ("{}/images", "{}/labels", {"data.yaml": "train: ../train/images\nval: ../val/images\nnc: 3\nnames: [%s]\n"}),
        ("images/{}", "labels/{}", {"data.yaml": "train: [images/train, images/val]\nnames: [%s]"}),
        ("images/{}", "labels/{}", {"data.yaml": "train: train.txt\nnames: [%s]", "train.txt": True}),
        ("images/deep/{}", "labels/deep/{}", {"dataset.yaml": "path: .\ntrain: images\nval: nowhere\nnames: [%s]"}),
        ("images", "labels", {"classes.txt": "circle\nsquare\r\ntriangle\n\n"}),
        ("images/{}", "labels/{}", {"labels/classes.txt": "circle\nsquare\ntriangle"}),
        ("images/{}", "labels/{}", {}),
        ("all/{}", "all/{}", {"data.yml": "train: all\nnames: [%s]"}),
    ],
)
def test_layouts(tmp_path, images, labels, config):
    kinds = write_yolo(tmp_path, 6, images=images, labels=labels)
    for name, content in config.items():
        if content is True:
            content = "".join(f"./images/{'val' if i < 3 else 'train'}/{i}.png\n" for i in range(6))
        (tmp_path / name).write_text(content.replace("%s", ", ".join(CLASSES)))
    described = [tmp_path / name for name in config if name.endswith(("yaml", "yml"))]
    for path in (tmp_path, *described):
        data = read_data(path)
        right = {f"{i // 3}.png#{i % 3 + 1}": kind for i, kind in enumerate(kinds)}
        named = [CLASSES.index(y) for y in data.y] if config else data.y.tolist()
        assert {Path(name).name: y for name, y in zip(data.paths, named, strict=True)} == right
        missing = {"val: nowhere": f"not in {tmp_path}"} if "nowhere" in str(config) else {}
        assert data.skipped == missing


ODD = (
    b"\r\n0\t0.5 0.5 0.2 0.4 \r\n  2.0 0.1 0.1 0.3 0.1 0.3 0.5\n\n1 0.5 0.5 0.2\n1 x 0.5 0.2 0.3\n1 0.5 0.5 0 0.3\n"
    b"-1 0.5 0.5 0.2 0.2\n1 nan 0.5 0.2 0.2\n9 0.5 0.5 0.2 0.2\n1 2.5 0.5 0.2 0.2\n00 0.5 0.5 0.20 0.2"
)


def test_lines_are_read_with_outlines_and_written_with_every_other_byte_as_it_was(tmp_path):
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    Image.fromarray(np.arange(120 * 100 * 3, dtype=np.uint8).reshape(100, 120, 3)).save(tmp_path / "images" / "ü.png")
    (tmp_path / "labels" / "ü.txt").write_bytes(ODD)
    (tmp_path / "labels" / "lost.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (tmp_path / "classes.txt").write_text("no\nyes\nno\n")
    data = read_data(tmp_path)
    assert data.columns == {"line": [2, 3, 12]}
    assert data.y.tolist() == ["no (0)", "no (2)", "no (0)"]
    file = opened(tmp_path, Asked())
    corners = file.boxes.corners.round(6).tolist()
    assert [corners[0], corners[1], corners[3]] == [[0.4, 0.3, 0.6, 0.7], [0.1, 0.1, 0.3, 0.5], [0.4, 0.4, 0.6, 0.6]]
    assert data.skipped == {
        "images/ü.png#11": "ValueError: the box lies outside of its picture of 120 x 100 pixels",
        "images/ü.png#5": "3 numbers behind the class are neither a box (4) nor corners (6, 8, ...)",
        "images/ü.png#6": "a word of it is no number",
        "images/ü.png#7": "its box has no area",
        "images/ü.png#8": "it begins with -1, which is the number of no class",
        "images/ü.png#9": "a word of it is no number",
        "images/ü.png#10": "class 9 has no name",
        "labels/lost.txt": "there is no picture of this name",
    }
    file.write(tmp_path / "new", np.array(["yes", "no (0)", "yes", "no (2)"]))
    right = (
        ODD.replace(b"\n0\t", b"\n1\t").replace(b"2.0 ", b"0 ").replace(b"\n00 ", b"\n2 ").replace(b"1 2.5", b"1 2.5")
    )
    assert all_bytes(tmp_path / "new") == {"labels/ü.txt": right}


def test_points_of_a_pose_follow_its_box(tmp_path):
    write_yolo(tmp_path, 1, val=())
    (tmp_path / "labels" / "train" / "0.txt").write_text("0 0.5 0.5 0.2 0.4 0.9 0.9 0.1 0.1\n")
    (tmp_path / "data.yaml").write_text("train: images/train\nkpt_shape: [2, 2]\nnames: [no]\n")
    file = opened(tmp_path, Asked())
    np.testing.assert_allclose(file.boxes.corners, [[0.4, 0.3, 0.6, 0.7]])
    assert file.labels.tolist() == ["no"]


@pytest.mark.parametrize(
    ("content", "asked", "said"),
    [
        ("names: [a]\n", {}, "names no pictures: it needs train, val or test"),
        ("train: [\n", {}, "can't be read as YAML: while parsing a flow"),
        ("train: images/train\nnames: {a: b}\n", {}, "names in '.*' must be a list of names, or numbers of"),
        ("train: images/train\nnames: [[a]]\n", {}, "names in '.*' must be a list of names, or numbers of"),
        ("train: a\nnames: [a]\n", {}, r"has no box with a class \(train: a: not in "),
        (YAML, {"split": "dev"}, "has the parts 'train', 'val', 'all'. Choose one."),
        (YAML, {"label": "y"}, "label= does not belong to a YOLO folder"),
    ],
)
def test_refusals(tmp_path, content, asked, said):
    write_yolo(tmp_path, 4)
    (tmp_path / "data.yaml").write_text(content)
    with pytest.raises(ValueError, match=said):
        read_data(tmp_path / "data.yaml", **asked)


def test_another_data_yaml_makes_no_yolo_folder(tmp_path):
    write_pictures(tmp_path)
    (tmp_path / "data.yaml").write_text("deps:\n- train: here\n")
    assert set(read_data(tmp_path).y) == {"cat", "dog"}


def test_without_pyyaml_the_message_says_how_to_get_it(tmp_path, monkeypatch):
    write_yolo(tmp_path, 4)
    (tmp_path / "data.yaml").write_text(YAML)
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ImportError, match=r"'data\.yaml' is read by PyYAML: pip install pyyaml"):
        read_data(tmp_path)
    (tmp_path / "data.yaml").unlink()
    assert read_data(tmp_path).y.tolist()[:3] == [0, 1, 2]
    with pytest.raises(ValueError, match="there is no folder images in"):
        read_data(tmp_path, root=tmp_path / "labels")


def test_labels_are_read_from_another_root_and_written_below_it(tmp_path):
    write_yolo(tmp_path / "there" / "set", 4)
    (tmp_path / "shapes.yaml").write_text("path: nowhere\ntrain: set/images/train\nval: set/images/val\n")
    data = read_data(tmp_path / "shapes.yaml", root=tmp_path / "there")
    assert data.paths[0] == "set/images/train/3.png#1"
    file = opened(tmp_path / "shapes.yaml", Asked(root=str(tmp_path / "there")))
    for picture in (tmp_path / "there").rglob("*.png"):
        picture.write_bytes(b"")  # none of them is looked into
    labels = file.labels.copy()
    labels[-1] = 0
    file.write(tmp_path / "new", labels)
    (name,) = all_bytes(tmp_path / "new")
    assert name == "set/labels/val/2.txt"
