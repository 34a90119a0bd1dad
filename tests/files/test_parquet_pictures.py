"""Pictures in Parquet files, as datasets, pandas and polars write them, one or a folder of shards."""

from __future__ import annotations

import io
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from curvdetect import read_data
from curvdetect.data import squares
from curvdetect.files import parquet_pictures
from curvdetect.files.labelled import Asked
from curvdetect.files.registry import opened
from tests.cli.conftest import write_verdicts
from tests.files.planted import NAMES, corrected, encoded, found, planted

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


def by_datasets(path, rows, **settings):
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    kinds = {"image": datasets.Image(), "label": datasets.ClassLabel(names=NAMES), "text": datasets.Value("string")}
    rows = {"image": rows["image"], "label": rows["label"], "text": ["said"] * len(rows["label"])}
    datasets.Dataset.from_dict(rows, features=datasets.Features(kinds)).to_parquet(path, batch_size=25)


def by_pandas(path, rows):
    frame = pd.DataFrame({"id": range(len(rows["label"])), "photo": list(map(encoded, rows["image"]))})
    frame.assign(label=[NAMES[code] for code in rows["label"]]).to_parquet(path, compression="gzip", row_group_size=25)


def by_polars(path, rows):
    polars = pytest.importorskip("polars")
    frame = {"photo": list(map(encoded, rows["image"])), "y": [NAMES[code] for code in rows["label"]]}
    polars.DataFrame(frame).write_parquet(path, row_group_size=25)


WRITERS = {"datasets": by_datasets, "pandas": by_pandas, "polars": by_polars}


def columns_but(table, name):
    return [column for column in table.schema.names if column != name]


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_from_a_file_to_a_ranking_and_back_into_a_file(tmp_path, write):
    pictures, labels, wrong = planted()
    write(tmp_path / "t.parquet", {"image": pictures, "label": labels})
    data = read_data(tmp_path / "t.parquet", size=8)
    assert data.y.tolist() == [NAMES[code] for code in labels]
    assert (data.paths[:2], data.rows, data.skipped) == (["row 0", "row 1"], None, {})
    assert np.array_equal(data.X[7], np.asarray(pictures[7]).transpose(2, 0, 1))
    assert found(data) == wrong
    opened(tmp_path / "t.parquet", Asked()).write(tmp_path / "new.parquet", corrected(data, wrong))
    before, after = (parquet.ParquetFile(tmp_path / name) for name in ("t.parquet", "new.parquet"))
    assert after.schema_arrow.equals(before.schema_arrow, check_metadata=True)
    assert after.metadata.metadata.keys() == before.metadata.metadata.keys()
    others = columns_but(before, data.label)
    assert after.read(others).equals(before.read(others))
    assert read_data(tmp_path / "new.parquet", size=4).y.tolist() == corrected(data, wrong).tolist()
    assert before.metadata.num_row_groups == after.metadata.num_row_groups == 3
    for group in range(3):
        for column in range(before.metadata.num_columns):
            one, other = (file.metadata.row_group(group).column(column) for file in (before, after))
            for setting in ("path_in_schema", "compression", "num_values", "is_stats_set", "has_column_index"):
                assert getattr(one, setting) == getattr(other, setting), setting


@pytest.fixture
def hub(tmp_path):
    """A folder as the hub has them: two shards of a train split, one of a test split, and a card."""
    pictures, labels, _ = planted(30)
    root = tmp_path / "hub"
    (root / "data").mkdir(parents=True)
    parts = {"train-00000-of-00002": (0, 10), "train-00001-of-00002": (10, 20), "test-00000-of-00001": (20, 30)}
    for name, (start, end) in parts.items():
        by_datasets(root / "data" / f"{name}.parquet", {"image": pictures[start:end], "label": labels[start:end]})
    (root / "README.md").write_text("a card")
    (root / ".git").mkdir()
    return root


def test_shards_are_one_data_set_or_its_splits_and_a_copy_is_a_folder_of_them(run, tmp_path, hub):
    data = read_data(hub, size=4, split="all")
    assert sorted(data.paths) == sorted(
        f"{part}/row {i}" for part, n in (("test", 10), ("train", 20)) for i in range(n)
    )
    train = read_data(hub, size=4, split="train")
    assert train.paths == [f"row {i}" for i in range(20)]
    i, new = 13, tmp_path / "new"
    other = next(name for name in NAMES if name != train.y[i])
    verdicts = write_verdicts(tmp_path / "v.csv", [i, "row 13", train.y[i], "", "wrong", other])
    result = run("apply", verdicts, "--to", hub, "--split", "train", "--out", new)
    assert result.stdout == f"{new}: 1 of 20 labels changed\n", result.stderr
    assert read_data(new, size=4, split="train").y.tolist() == [*train.y[:i], other, *train.y[i + 1 :]]
    before, after = (
        {path.relative_to(root): path for path in root.rglob("*.*") if path.is_file()} for root in (hub, new)
    )
    assert before.keys() == after.keys()
    changed = [path.name for path, file in before.items() if file.read_bytes() != after[path].read_bytes()]
    assert changed == ["train-00001-of-00002.parquet"]
    again = run("apply", verdicts, "--to", hub, "--split", "train", "--out", new, "--overwrite")
    assert (again.exit_code, "Pass the name of a new folder" in again.stderr) == (2, True)


def test_a_shard_without_rows_says_nothing_of_the_others(hub):
    by_datasets(hub / "data" / "dev-00000-of-00001.parquet", {"image": [], "label": []})
    assert len(read_data(hub, size=4, split="all").y) == 30
    with pytest.raises(ValueError, match="has no rows with pictures"):
        read_data(hub, split="dev")


def test_a_torn_shard_is_named_and_kept(tmp_path, hub):
    torn = hub / "data" / "train-00001-of-00002.parquet"
    torn.write_bytes(torn.read_bytes()[:-9])
    data = read_data(hub, size=4, split="all")
    assert len(data.y) == 20
    assert data.skipped.keys() == {"data/train-00001-of-00002.parquet"}
    opened(hub, Asked(split="all")).write(tmp_path / "new", data.y)
    assert (tmp_path / "new" / "data" / torn.name).read_bytes() == torn.read_bytes()


@pytest.mark.parametrize("in_memory", [2**28, 0], ids=["in memory", "mapped"])
def test_each_group_of_rows_is_read_once_and_few_are_kept(tmp_path, monkeypatch, in_memory):
    pictures, labels, _ = planted(40)
    frame = pd.DataFrame({"image": list(map(encoded, pictures)), "label": labels})
    frame.to_parquet(tmp_path / "t.parquet", row_group_size=8)
    monkeypatch.setattr(parquet_pictures, "_IN_MEMORY", in_memory)
    monkeypatch.setattr(squares, "_THREADS", 1)  # of several, one may lag behind
    read, group = [], parquet_pictures.ParquetRows.group
    counted = lambda self, number, column: (read.append(number), group(self, number, column))[1]  # noqa: E731
    monkeypatch.setattr(parquet_pictures.ParquetRows, "group", counted)
    file = opened(tmp_path / "t.parquet", Asked(size=8))
    data = file.read(None)
    assert read == [0, 1, 2, 3, 4]
    assert np.array_equal(data.X, np.stack([np.asarray(one).transpose(2, 0, 1) for one in pictures]))
    assert file._group.cache_info().currsize <= 2
    assert [np.asarray(file.pictures[i]).tolist() for i in (39, 0)] == [
        np.asarray(pictures[i]).tolist() for i in (39, 0)
    ]


def test_pictures_in_files_beside_are_called_by_them_and_what_is_no_picture_is_named(tmp_path):
    pictures, _, _ = planted(4)
    for i in (0, 2):
        pictures[i].save(tmp_path / f"{i}.png")
    cells = [{"bytes": None, "path": "0.png"}, {"bytes": encoded(pictures[1]), "path": "1.png"}]
    cells += [{"bytes": b"no picture", "path": "2.png"}, {"bytes": None, "path": "../gone.png"}]
    pd.DataFrame({"image": cells, "label": list("abab")}).to_parquet(tmp_path / "t.parquet")
    data = read_data(tmp_path / "t.parquet", size=8)
    assert (data.paths, data.y.tolist(), data.rows.tolist()) == (["0.png", "1.png"], ["a", "b"], [0, 1])
    assert np.array_equal(data.X[1], np.asarray(pictures[1]).transpose(2, 0, 1))
    assert data.skipped.keys() == {"2.png", "../gone.png"}
    assert data.skipped["2.png"] == "UnidentifiedImageError: cannot identify image file"
    assert data.skipped["../gone.png"] == "FileNotFoundError: No such file or directory"
    assert read_data(tmp_path / "t.parquet", root=tmp_path / "no").paths == ["1.png"]
    cells[2]["path"] = cells[3]["path"] = "1.png"
    cells[3]["bytes"] = cells[1]["bytes"]
    pd.DataFrame({"image": [*cells, None], "label": list("ababa")}).to_parquet(tmp_path / "t.parquet")
    data = read_data(tmp_path / "t.parquet", size=8)
    assert (data.paths, list(data.skipped)) == (["row 0", "row 1", "row 3"], ["row 2", "row 4"])
    assert data.skipped["row 4"] == "ValueError: the cell is empty"


def test_a_program_that_pillow_would_call_is_not(tmp_path, monkeypatch):
    content = io.BytesIO()
    Image.new("RGB", (8, 8)).save(content, "eps")
    cells = [encoded(Image.new("RGB", (8, 8))), content.getvalue()]
    pd.DataFrame({"image": cells, "label": ["a", "b"]}).to_parquet(tmp_path / "t.parquet")
    assert read_data(tmp_path / "t.parquet", size=8).skipped["row 1"].startswith("UnidentifiedImageError")


def test_columns_of_bytes_that_are_no_pictures_leave_a_table_a_table(tmp_path):
    frame = pd.DataFrame({"a": [0.5, 1.5], "digest": [b"\0\1", b"\2\3"], "label": ["x", "y"]})
    frame.to_parquet(tmp_path / "t.parquet")
    data = read_data(tmp_path / "t.parquet", drop=("digest",))
    assert (data.paths, list(data.X)) == (None, ["a"])


PNG = encoded(Image.new("RGB", (4, 4)))
#: Columns, arguments, and what is said.
REFUSED = {
    "two pictures": ({"a": [PNG], "b": [PNG], "y": [1]}, {}, "several columns of pictures. Choose one of 'a', 'b'"),
    "no pictures": ({"a": [PNG], "label": [1]}, {"pictures": "label"}, "'label' of '.*' is no column of pictures"),
    "drop": ({"a": [PNG], "label": [1]}, {"drop": ("b",)}, "drop= does not belong to pictures in Parquet files"),
    "two labels": ({"a": [PNG], "label": [1], "y": [1]}, {}, "several: 'label', 'y'. Choose one of 'label', 'y'"),
    "no label": ({"a": [PNG], "word": ["x"]}, {}, "no column named like a label. Choose one of 'word'"),
    "pictures alone": ({"a": [PNG]}, {}, "has no column left that may hold the labels"),
    "sounds": (
        {"a": [{"bytes": b"RIFF", "path": "0.wav"}], "y": [1]},
        {},
        "'a' of '.*' .* no pictures. Leave the column",
    ),
    "pictures as labels": ({"a": [PNG], "label": [1]}, {"label": "a"}, "there is no column 'a'"),
    "missing label": ({"a": [PNG] * 2, "label": ["x", None]}, {}, "no label in 1 of 2 rows, the first of them row 1"),
    "no split": ({"a": [PNG], "label": [1]}, {"split": "train"}, "'.*t.parquet' has no parts"),
}


@pytest.mark.parametrize(("columns", "arguments", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_is_said_with_the_way_out(tmp_path, columns, arguments, message):
    pd.DataFrame(columns).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(ValueError, match=message):
        read_data(tmp_path / "t.parquet", **arguments)


def test_a_lone_column_of_classes_holds_the_labels_and_one_of_two_is_chosen(tmp_path):
    datasets = pytest.importorskip("datasets")
    kinds = {"image": datasets.Image(), "text": datasets.Value("string"), "kind": datasets.ClassLabel(names=NAMES)}
    rows = {"image": [{"bytes": PNG, "path": None}] * 2, "text": ["x", "y"], "kind": [2, 0], "size": [1, 0]}
    for more in ({}, {"size": datasets.ClassLabel(names=["big", "small"])}):
        features = datasets.Features(kinds | more)
        chosen = {name: rows[name] for name in features}
        datasets.Dataset.from_dict(chosen, features=features).to_parquet(tmp_path / "t.parquet")
        if not more:
            assert read_data(tmp_path / "t.parquet").y.tolist() == ["owl", "cat"]
    with pytest.raises(ValueError, match="Choose one of 'text', 'kind', 'size'"):
        read_data(tmp_path / "t.parquet")
    assert read_data(tmp_path / "t.parquet", label="size").y.tolist() == ["small", "big"]


def test_shards_that_differ_are_refused(tmp_path, hub):
    shard = next(hub.rglob("test-*"))
    table = parquet.read_table(shard)
    parquet.write_table(table.replace_schema_metadata(None), shard)
    with pytest.raises(ValueError, match=r"'label' has another type, or other classes, in 'train-.*or split="):
        read_data(hub, split="all")
    parquet.write_table(table.drop_columns(["label"]), shard)
    with pytest.raises(ValueError, match=r"'train-.*parquet' has other columns than 'test-"):
        read_data(hub, split="all")
    with pytest.raises(ValueError, match=r"hub' has the parts 'test', 'train'\. Choose one of them, or all"):
        read_data(hub)
    assert len(read_data(hub, split="train").y) == 20


def test_a_folder_of_classes_stays_one_whatever_lies_beside(tmp_path, hub):
    (tmp_path / "photos" / "cat").mkdir(parents=True)
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(exist_ok=True)
        Image.new("RGB", (4, 4)).save(tmp_path / "photos" / name / "a.png")
        shutil.copy(next(hub.rglob("*.parquet")), tmp_path / "photos" / name)
    assert read_data(tmp_path / "photos").paths == ["cat/a.png", "dog/a.png"]
