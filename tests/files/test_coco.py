"""COCO files: each box a picture, and back with other categories."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from curvdetect import LeaveOneOutDetector, read_data
from curvdetect.files import boxes
from curvdetect.files.coco import CocoFile
from curvdetect.files.labelled import Asked
from tests.files.boxes import CLASSES, HEIGHT, WIDTH, draw_shapes

IDS = (3, 7, 90)
WRONG = (4, 23, 50)


def coco(shapes, wrong=()) -> dict:
    """Return shapes in COCO's form, some of them of a wrong category."""
    annotations = []
    for number, (image, kind, (x, y, w, h)) in enumerate(shapes):
        category = IDS[(kind + (number in wrong)) % 3]
        annotations.append(
            {"segmentation": [[x, y, x + w, y, x + w, y + h]], "area": w * h / 2, "iscrowd": 0, "image_id": image}
            | {"bbox": [x, y, w, h], "category_id": category, "id": 1000 + number}
        )
    return {
        "info": {"description": "shapes", "category_id": "not one"},
        "images": [
            {"id": i, "file_name": f"{i}.png", "width": WIDTH, "height": HEIGHT}
            for i in dict.fromkeys(shape.image for shape in shapes)
        ],
        "annotations": annotations,
        "categories": [{"id": i, "name": name, "supercategory": "shape"} for i, name in zip(IDS, CLASSES, strict=True)],
    }


def written(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def opened(path: Path, **asked) -> CocoFile:
    assert CocoFile.fits(path)
    return CocoFile(path, Asked(**asked))


@pytest.mark.meets("pycocotools")
def test_wrong_categories_in_what_pycocotools_holds_are_found_and_corrected(tmp_path):
    """A file that `COCO` holds: wrong categories are ranked first, and `COCO` loads the corrected file."""
    tool = pytest.importorskip("pycocotools.coco")
    shapes = draw_shapes(tmp_path / "train2017")
    known = tool.COCO(str(written(tmp_path / "made.json", coco(shapes, WRONG))))
    source = written(tmp_path / "annotations" / "instances_train2017.json", known.dataset)
    data = read_data(source, size=16)
    assert data.columns == {"annotation_id": [1000 + i for i in range(len(shapes))]}
    assert data.paths[:4] == ["0.png#1000", "0.png#1001", "0.png#1002", "1.png#1003"]
    ranking = LeaveOneOutDetector().fit(data.X, data.y).ranking(len(WRONG))
    assert set(ranking["index"]) == set(WRONG)
    cleaned = data.y.copy()
    cleaned[ranking["index"]] = ranking["suggested"]
    opened(source).write(tmp_path / "new.json", cleaned)
    assert (tmp_path / "new.json").read_text() == json.dumps(coco(shapes))
    assert len(tool.COCO(str(tmp_path / "new.json")).anns) == len(shapes)


@pytest.mark.meets("pycocotools")
def test_the_boxes_of_a_model_as_pycocotools_loads_them_keep_their_scores(tmp_path):
    """Boxes out of `loadRes` keep their scores when their categories are corrected."""
    tool = pytest.importorskip("pycocotools.coco")
    shapes = draw_shapes(tmp_path, 2)
    known = tool.COCO(str(written(tmp_path / "made.json", coco(shapes))))
    found = [{key: a[key] for key in ("image_id", "bbox", "category_id")} | {"score": 0.5} for a in known.anns.values()]
    source = written(tmp_path / "found.json", known.loadRes(found).dataset)
    data = read_data(source)
    assert data.columns == {"annotation_id": [1, 2, 3, 4, 5, 6]}
    opened(source).write(tmp_path / "new.json", np.roll(data.y, 1))
    right = json.loads(source.read_text())
    for annotation, category in zip(
        right["annotations"], np.roll([IDS[shape.kind] for shape in shapes], 1), strict=True
    ):
        annotation["category_id"] = int(category)
    assert (tmp_path / "new.json").read_text() == json.dumps(right)


more = st.dictionaries(
    st.sampled_from(["category_id", "annotations", "é{", '"[', "note"]),
    st.recursive(
        st.none() | st.text(max_size=3) | st.floats(), lambda inner: st.lists(inner, max_size=2), max_leaves=3
    ),
    max_size=2,
)


@settings(max_examples=30)
@given(st.data())
def test_only_the_numbers_of_categories_change_however_the_file_is_written(tmp_path_factory, data):
    annotations = []
    for i in range(data.draw(st.integers(1, 4))):
        of_one = {"id": i, "image_id": 1, "category_id": data.draw(st.sampled_from([1, "two"])), "bbox": [0, 0, 9.5, 9]}
        of_one["extra"] = data.draw(more)
        annotations.append(dict(data.draw(st.permutations(list(of_one.items())))))
    content = {
        "annotations": annotations,
        "images": [{"id": 1, "file_name": "ü.png"}],
        "categories": [{"id": 1, "name": "a"}, {"name": "b", "id": "two"}],
        "more": data.draw(more),
    }
    content = dict(data.draw(st.permutations(list(content.items()))))
    text = json.dumps(
        content,
        indent=data.draw(st.none() | st.integers(0, 2) | st.just("\t")),
        ensure_ascii=data.draw(st.booleans()),
        separators=data.draw(st.sampled_from([None, (",", ":"), (" ,\r\n", " : ")])),
    )
    folder = tmp_path_factory.mktemp("coco")
    mark = data.draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    (folder / "old.json").write_bytes(mark + text.encode("utf-8", "surrogatepass"))
    old = opened(folder / "old.json")
    other = {"a": "b", "b": "a"}
    flipped = data.draw(st.lists(st.booleans(), min_size=len(annotations), max_size=len(annotations)))
    labels = np.array([other[y] if flip else y for y, flip in zip(old.labels, flipped, strict=True)])
    old.write(folder / "new.json", labels)
    for annotation, label in zip(annotations, labels, strict=True):
        annotation["category_id"] = {"a": 1, "b": "two"}[str(label)]
    assert repr(json.loads((folder / "new.json").read_bytes())) == repr(content)
    opened(folder / "new.json").write(folder / "back.json", old.labels)
    assert (folder / "back.json").read_bytes() == (folder / "old.json").read_bytes()


def test_of_equal_keys_the_last_counts_as_everywhere(tmp_path):
    text = '{"annotations": [9], "images": [{"id": 1, "file_name": "a"}], "categories": [{"id": 1}, {"id": 2}], '
    text += '"annotations": [{"id": 5, "image_id": 1, "bbox": [0, 0, 9, 9], "category_id": 2, "category_id": 1}]}'
    file = opened(written(tmp_path / "t.json", text))
    assert (file.labels.tolist(), file.names) == (["1"], ["a#5"])
    file.write(tmp_path / "new.json", np.array(["2"]))
    assert (tmp_path / "new.json").read_text() == text.replace('"category_id": 1', '"category_id": 2')


@pytest.mark.parametrize(
    ("file", "pictures", "name", "root"),
    [
        ("a.json", "", "{}.png", None),
        ("a.json", "images", "images/{}.png", None),
        ("annotations/instances_val2017.json", "val2017", "{}.png", None),
        ("annotations/instances_default.json", "images/default", "{}.png", None),
        ("labels/result.json", "images", "{}.png", None),
        ("labels/result.json", "elsewhere/a", "a/{}.png", "elsewhere"),
        ("labels/result.json", "elsewhere/images", "{}.png", "elsewhere"),
    ],
)
def test_pictures_are_found_where_they_usually_lie_or_in_root(tmp_path, file, pictures, name, root):
    content = coco(draw_shapes(tmp_path / pictures, 2))
    for image in content["images"]:
        image["file_name"] = name.format(image["id"])
    source = written(tmp_path / file, content)
    data = read_data(source, root=root and tmp_path / root)
    assert len(data.X) == 6
    assert not data.skipped
    assert data.paths[0] == name.format(0) + "#1000"


def test_a_picture_is_read_as_shown_or_as_stored_by_the_size_that_the_file_says(tmp_path):
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[:20, :20] = 255  # upper left as stored, upper right as shown
    exif = Image.Exif()
    exif[0x0112] = 6
    sizes = {"shown": (40, 80), "stored": (80, 40), "unsaid": None, "scaled": (20, 40)}
    content = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "white"}, {"id": 2, "name": "black"}]}
    for i, (name, size) in enumerate(sizes.items()):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png", exif=exif)
        named = {"id": i, "file_name": f"{name}.png"}
        content["images"].append(named | ({"width": size[0], "height": size[1]} if size else {}))
        for left in (2, 22):
            white = left == (2 if name == "stored" else 22)
            box = {"id": 10 * i + left, "image_id": i, "bbox": [left, 2, 16, 16], "category_id": 1 if white else 2}
            content["annotations"].append(box)
    data = read_data(written(tmp_path / "a.json", content))
    assert [label for label, picture in zip(data.y, data.X, strict=True) if picture.mean() > 250] == ["white"] * 3
    assert sum(picture.mean() < 5 for picture in data.X) == 3
    assert set(data.skipped.values()) == {"ValueError: the picture has 40 x 80 pixels, and should have 20 x 40"}


def test_what_is_no_box_of_a_class_is_listed_with_the_reason(tmp_path):
    content = coco(draw_shapes(tmp_path, 8))
    (tmp_path / "6.png").write_bytes(b"broken")
    (tmp_path / "7.png").unlink()
    odd = {
        0: ({"iscrowd": 1}, "a crowd, not one thing"),
        1: ({"bbox": [9, 9, 20, -9]}, "its bbox has no area"),
        2: ({"bbox": [9, 9, 20]}, "its bbox is not four numbers of pixels"),
        3: ({"bbox": [9, 9, 20, 10**400]}, "its bbox is not four numbers of pixels"),
        4: ({"bbox": [9, 9, 20, float("nan")]}, "its bbox is not four numbers of pixels"),
        5: (
            {"bbox": [WIDTH, 9, 20, 20]},
            f"ValueError: the box lies outside of its picture of {WIDTH} x {HEIGHT} pixels",
        ),
        6: ({"bbox": [5, 9, 2, 20.5]}, "ValueError: a box of 2 x 20.5 pixels is too small: it needs 4 a side"),
        7: ({"bbox": [-30, 9, 33, 20]}, "ValueError: a box of 3 x 20 pixels is too small: it needs 4 a side"),
        8: ({"category_id": 8}, "its category_id, 8, is that of no category"),
        9: ({"category_id": [3]}, "its category_id, [3], is that of no category"),
        10: ({"image_id": None}, "its image_id, None, is that of no image in the file"),
        11: ({"id": None}, "it has no id"),
    }
    for place, (change, _) in odd.items():
        content["annotations"][place] |= change
    data = read_data(written(tmp_path / "a.json", content))
    names = [f"{annotation['image_id']}.png#{annotation['id']}" for annotation in content["annotations"]]
    names[10:12] = "annotation 10#1010", "3.png#None, annotation 11"
    assert data.paths == names[12:18]
    assert {name: data.skipped[name] for name in names[:12]} == {names[i]: why for i, (_, why) in odd.items()}
    assert [data.skipped[name].split(":")[0] for name in names[18:]] == ["UnidentifiedImageError"] * 3 + [
        "FileNotFoundError"
    ] * 3
    assert len(data.skipped) == 18


def test_names_of_several_categories_get_their_ids(tmp_path):
    content = coco(draw_shapes(tmp_path, 2))
    content["categories"][0]["name"] = "square"
    file = opened(written(tmp_path / "a.json", content))
    assert set(file.labels) == {"square (3)", "square (7)", "triangle"}
    file.write(tmp_path / "new.json", np.where(file.labels == "square (3)", "square (7)", file.labels))
    content["annotations"] = [
        one | {"category_id": 7 if one["category_id"] == 3 else one["category_id"]} for one in content["annotations"]
    ]
    assert json.loads((tmp_path / "new.json").read_text()) == content
    assert boxes.distinct({1: "a", 2: "a", 3: "a (1)", 4: "b\0"}) == {
        1: "a (1)",
        2: "a (2)",
        3: "a (1) (3)",
        4: "b (4)",
    }


@pytest.mark.parametrize(
    ("change", "asked", "said"),
    [
        ("{", {}, "none of these: .*json\\.$"),
        ('{"images": [], "annotations": []}', {}, r"none of these: .* Of a COCO file it lacks 'categories': copy"),
        ('{"images": [], "annotations": [], "categories": [}', {}, "can't be read as JSON: Expecting value"),
        ('["images", "annotations", "categories"]', {}, "'images' of '.*' is not a list of objects"),
        ({"categories": {}}, {}, "'categories' of '.*' is not a list of objects"),
        ({"annotations": []}, {}, r"has no box with a class \(it lists none\)"),
        ({"categories": []}, {}, r"has no box with a class \(0.png#1000: its category_id, 3, is that of no category\)"),
        ({}, {"split": "train"}, "split= does not belong to a COCO file"),
        ({}, {"root": "elsewhere"}, "'0.png', '1.png' of 'a.json' are not in 'elsewhere', nor in"),
    ],
)
def test_refusals(tmp_path, change, asked, said):
    content = coco(draw_shapes(tmp_path, 2))
    source = written(tmp_path / "a.json", change if isinstance(change, str) else content | change)
    with pytest.raises(ValueError, match=said):
        read_data(source, **asked)


@pytest.mark.filterwarnings("ignore:root=")
@pytest.mark.parametrize("place", ["annotations/instances_val.json", "val2017/_annotations.coco.json", "coco.json"])
def test_a_folder_with_a_file_of_boxes_is_not_taken_for_classes_in_silence(tmp_path, place):
    shapes = draw_shapes(tmp_path / "val2017", 2)
    draw_shapes(tmp_path / "train2017", 2)
    written(tmp_path / "annotations" / "other.json", "{}")
    written(tmp_path / place, coco(shapes))
    with pytest.warns(UserWarning, match=f"has boxes in the COCO file '{place}', and its subfolders are read as"):
        read_data(tmp_path, size=4)


def test_a_picture_is_opened_once_whatever_the_order_of_its_boxes(tmp_path, monkeypatch):
    content = coco(draw_shapes(tmp_path))
    order = np.random.default_rng(0).permutation(len(content["annotations"]))
    content["annotations"] = [content["annotations"][i] for i in order]
    times: list[str] = []
    open_one = Image.open

    def counted(path, *args, **options):
        times.append(Path(path).name)
        return open_one(path, *args, **options)

    monkeypatch.setattr(Image, "open", counted)
    source = written(tmp_path / "a.json", content)
    data = read_data(source)
    assert sorted(times) == sorted(f"{i}.png" for i in range(24))
    assert data.columns["annotation_id"] == (1000 + order).tolist()
    some = read_data(source, limit=5)
    assert [data.paths.index(name) for name in some.paths] == sorted(map(data.paths.index, some.paths))
    assert len(some.shown) == len(some.columns["annotation_id"]) == 5


def test_a_person_is_shown_the_box_outlined_with_its_surroundings(tmp_path):
    pixels = np.zeros((600, 1000), np.uint16)
    pixels[100:500, 200:600] = 60_000
    Image.fromarray(pixels).save(tmp_path / "0.png")
    annotations = [
        {"id": i, "image_id": 1, "category_id": 1 + i, "bbox": box}
        for i, box in enumerate([(200, 100, 400, 400), (0, 0, 20, 10), (-5, 590, 30, 30)])
    ]
    content = {"images": [{"id": 1, "file_name": "0.png"}], "annotations": annotations}
    content["categories"] = [{"id": i, "name": f"c{i}"} for i in (1, 2, 3)]
    data = read_data(written(tmp_path / "a.json", content))
    assert data.X.shape == (3, 3, 32, 32)
    assert [shown.size for shown in data.shown] == [(320, 240), (160, 80), (160, 63)]
    first = np.asarray(data.shown[0])
    line = (first == boxes._LINE).all(-1)
    rows, columns = (np.flatnonzero(line.any(axis)) for axis in (1, 0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (37, 202, 77, 242)
    assert first[45:195, 85:235].min() > 200
    assert first[:30].max() == 0
    for shown in data.shown:  # where the box ends with its picture, too
        assert (np.asarray(shown) == boxes._LINE).all(-1).any(0).sum() > 30
    last = data.at(np.array([2]))
    assert (last.columns, last.shown[0].size) == ({"annotation_id": [2]}, (160, 63))


def test_hostile_names_are_text(tmp_path):
    content = coco(draw_shapes(tmp_path, 6))
    (tmp_path / "0.png").rename(tmp_path / "=1.png")
    names = ["=1.png", "\0.png", "\ud800.png", "../../nowhere.png", "\x1b[31m.png", ""]
    for image, name in zip(content["images"], names, strict=True):
        image["file_name"] = name
    content["categories"][0]["name"] = "\ud800\0"
    data = read_data(written(tmp_path / "a.json", content))
    assert data.paths == ["=1.png#1000", "=1.png#1001", "=1.png#1002"]
    assert data.y.tolist() == ["\\ud800", "square", "triangle"]
    assert len(data.skipped) == 15
    assert "\\ud800.png#1006" in data.skipped
