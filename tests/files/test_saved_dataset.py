"""Folders that save_to_disk of Hugging Face's datasets writes, read and corrected."""

from __future__ import annotations

import json

import numpy as np
import pytest

from curvdetect import read_data
from curvdetect.files.labelled import Asked
from curvdetect.files.registry import opened
from tests.cli.conftest import write_verdicts
from tests.files.planted import NAMES, corrected, found, planted

datasets = pytest.importorskip("datasets")
datasets.disable_progress_bars()


def data_set(n: int = 60):
    """Return pictures with labels, and columns that say nothing to a network."""
    pictures, labels, _ = planted(n)
    kinds = {"image": datasets.Image(), "label": datasets.ClassLabel(names=NAMES), "text": datasets.Value("string")}
    kinds["boxes"] = datasets.Array2D((1, 4), "float32")
    rows = {"image": pictures, "label": labels, "text": list(map(str, range(n))), "boxes": np.zeros((n, 1, 4))}
    return datasets.Dataset.from_dict(rows, features=datasets.Features(kinds))


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.meets("datasets")
def test_from_a_folder_to_a_ranking_and_back_into_a_folder(tmp_path):
    """A folder of `save_to_disk` is ranked and corrected, and `load_from_disk` reads it."""
    _, labels, wrong = planted()
    data_set().save_to_disk(tmp_path / "t", num_shards=3)
    data = read_data(tmp_path / "t", size=8)
    assert data.y.tolist() == [NAMES[code] for code in labels]
    assert (data.paths[:2], data.label, data.skipped) == (["row 0", "row 1"], "label", {})
    assert found(data) == wrong
    (tmp_path / "t" / "cache-1.arrow").write_bytes(b"what datasets made of the labels")
    opened(tmp_path / "t", Asked()).write(tmp_path / "new", corrected(data, wrong))
    before, after = content(tmp_path / "t"), content(tmp_path / "new")
    assert before.keys() - after.keys() == {"cache-1.arrow"}
    changed = {f"data-{place // 20:05}-of-00003.arrow" for place in wrong}
    assert {name for name in after if after[name] != before[name]} == changed
    assert [len(after[name]) for name in sorted(changed)] == [len(before[name]) for name in sorted(changed)]
    old, new = map(datasets.load_from_disk, (tmp_path / "t", tmp_path / "new"))
    assert new.features == old.features
    assert [NAMES[code] for code in new["label"]] == corrected(data, wrong).tolist()
    assert new.remove_columns("label").to_dict() == old.remove_columns("label").to_dict()


def test_splits_are_read_together_or_alone(run, tmp_path):
    rows, root = data_set(30), tmp_path / "t"
    datasets.DatasetDict({"train": rows.select(range(20)), "test": rows.select(range(20, 30))}).save_to_disk(root)
    data = read_data(root, size=4, split="all")
    assert data.paths == [*(f"train/row {i}" for i in range(20)), *(f"test/row {i}" for i in range(10))]
    assert data.y.tolist() == [NAMES[code] for code in rows["label"]]
    one = read_data(root, size=4, split="test", limit=4)
    assert one.y.tolist() == [NAMES[rows["label"][20 + row]] for row in one.rows]
    other = next(name for name in NAMES if name != data.y[25])
    verdicts = write_verdicts(tmp_path / "v.csv", [25, "test/row 5", data.y[25], "", "wrong", other])
    assert run("apply", verdicts, "--to", root, "--split", "all", "--out", root / "new").exit_code == 2
    assert run("apply", verdicts, "--to", root, "--split", "all", "--out", tmp_path / "new").exit_code == 0
    before, after = content(root), content(tmp_path / "new")
    assert before.keys() == after.keys()
    assert [name for name in after if after[name] != before[name]] == ["test/data-00000-of-00001.arrow"]
    assert datasets.load_from_disk(tmp_path / "new")["test"][5]["label"] == NAMES.index(other)


def torn(root):
    (root / "data-00000-of-00001.arrow").write_bytes(b"torn")


def without_rows(root):
    (root / "data-00000-of-00001.arrow").unlink()


def elsewhere(root):
    (root / "state.json").write_text(json.dumps({"_data_files": [{"filename": "../secret.arrow"}]}))


def indexed(root):
    (root / "state.json").write_text(json.dumps({"_data_files": [], "_indices_data_files": [{"filename": "i.arrow"}]}))


def no_state(root):
    (root / "state.json").write_text("[]")


def splits_elsewhere(root):
    (root / "dataset_dict.json").write_text('{"splits": [".."]}')


BROKEN = {
    torn: "data-00000-of-00001.arrow' can't be read as a stream of Arrow",
    without_rows: "data-00000-of-00001.arrow' can't be read as a stream of Arrow",
    elsewhere: "names a file that does not lie in it: '../secret.arrow'",
    indexed: "Load it and save it again",
    no_state: "state.json' is not what save_to_disk",
    splits_elsewhere: "names a file that does not lie in it: '..'",
}


@pytest.mark.parametrize("damage", BROKEN, ids=lambda damage: damage.__name__)
def test_what_is_damaged_is_named(tmp_path, damage):
    data_set(4).save_to_disk(tmp_path / "t")
    damage(tmp_path / "t")
    with pytest.raises(ValueError, match=BROKEN[damage]) as error:
        read_data(tmp_path / "t")
    assert len(str(error.value)) <= 400


def test_a_split_without_rows_says_nothing_of_the_others(tmp_path):
    rows = data_set(4)
    datasets.DatasetDict({"none": rows.select([]), "train": rows}).save_to_disk(tmp_path / "t")
    assert read_data(tmp_path / "t").paths == [f"row {i}" for i in range(4)]
    with pytest.raises(ValueError, match=r"t' has the parts 'train'\. Choose"):
        read_data(tmp_path / "t", split="none")


def test_rows_without_pictures_and_missing_labels_are_refused(tmp_path):
    data_set(4).remove_columns("image").save_to_disk(tmp_path / "words")
    with pytest.raises(ValueError, match=r"no column of pictures\. Write it as a table"):
        read_data(tmp_path / "words")
    codes = [0, -1, 1, 2]
    rows = data_set(4).map(lambda row, i: {"label": codes[i]}, with_indices=True)
    rows.save_to_disk(tmp_path / "gaps")
    with pytest.raises(ValueError, match="no label in 1 of 4 rows, the first of them row 1"):
        read_data(tmp_path / "gaps")
