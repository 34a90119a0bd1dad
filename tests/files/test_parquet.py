"""Parquet tables: types, names of classes beside the schema, and copies that keep all else."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

from curvdetect import read_data
from tests.files.tables import read_labels, read_table, rewrite

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


def test_a_table_is_read_with_its_types_and_no_column_of_the_folder(tmp_path):
    (tmp_path / "year=2020").mkdir()
    frame = pd.DataFrame({"a": pd.array([1, 2, 3], dtype="Int64"), "label": pd.Categorical(["x", "y", "x"])})
    frame.to_parquet(tmp_path / "year=2020" / "t.parquet")
    X, y, *_ = read_table(tmp_path / "year=2020" / "t.parquet", None)
    assert X.to_numpy().tolist() == [[1.0], [2.0], [3.0]]
    assert y.tolist() == ["x", "y", "x"]


LABELS = {
    "small numbers": (pa.array([1, 2, 1], pa.int8()), [1, 2, 2]),
    "text": (pa.array(["007", "7", "7"]), ["007", "7", "007"]),
    "truth values": (pa.array([True, False, False]), [True, False, True]),
    "categories": (pa.array(["a", "b", "b"]).dictionary_encode(), ["a", "b", "a"]),
}


@pytest.mark.parametrize(("column", "cleaned"), LABELS.values(), ids=LABELS)
def test_a_copy_keeps_types_notes_and_other_columns(tmp_path, column, cleaned):
    table = pa.table({"a": pa.array([[1], [], [2, 3]], pa.list_(pa.int16())), "label": column})
    table = table.replace_schema_metadata({"of": "somebody"})
    parquet.write_table(table, tmp_path / "t.parquet", compression="zstd", row_group_size=2)
    labels, name = read_labels(tmp_path / "t.parquet", None)
    assert labels.tolist() == column.to_pylist()
    rewrite(tmp_path / "t.parquet", tmp_path / "new.parquet", name, labels, np.array(cleaned, dtype=labels.dtype))
    before, file = (parquet.ParquetFile(tmp_path / name) for name in ("t.parquet", "new.parquet"))
    assert file.schema_arrow.equals(before.schema_arrow, check_metadata=True)
    assert file.read().column("label").to_pylist() == cleaned
    assert file.read().column("a").to_pylist() == table.column("a").to_pylist()
    assert (file.num_row_groups, file.metadata.row_group(0).column(0).compression) == (2, "ZSTD")


@pytest.fixture
def pets(tmp_path):
    """Write labels as Hugging Face's datasets do, codes of named classes; return the file."""
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()

    def write(codes):
        kinds = {"a": datasets.Value("float32"), "label": datasets.ClassLabel(names=["cat", "dog", "1"])}
        rows = {"a": np.arange(len(codes)), "label": codes}
        datasets.Dataset.from_dict(rows, features=datasets.Features(kinds)).to_parquet(tmp_path / "pets.parquet")
        return tmp_path / "pets.parquet"

    return write


def test_codes_of_named_classes_are_labels_by_name(pets, tmp_path):
    path, new = pets([0, 1, 2, 0]), tmp_path / "new.parquet"
    y, name = read_labels(path, None)
    assert y.tolist() == ["cat", "dog", "1", "cat"]
    rewrite(path, new, name, y, np.array(["cat", "1", "1", "dog"]))
    assert read_labels(new, None)[0].tolist() == ["cat", "1", "1", "dog"]
    assert parquet.read_table(new).column("label").to_pylist() == [0, 2, 2, 1]


def test_a_lone_column_of_classes_holds_the_labels_of_a_table(tmp_path):
    datasets = pytest.importorskip("datasets")
    text, kind = datasets.Value("string"), datasets.ClassLabel(names=["cat", "dog"])
    rows = {"text": ["a cat", "a dog", "the dog"], "kind": [0, 1, 1], "size": [0, 1, 0], "label": [5, 6, 5]}

    def written(**kinds):
        chosen = {name: rows[name] for name in kinds}
        datasets.Dataset.from_dict(chosen, features=datasets.Features(kinds)).to_parquet(tmp_path / "t.parquet")
        return tmp_path / "t.parquet"

    assert read_labels(written(text=text, kind=kind), None)[0].tolist() == ["cat", "dog", "dog"]
    assert read_labels(written(label=datasets.Value("int8"), kind=kind), None)[0].tolist() == [5, 6, 5]
    path = written(text=text, kind=kind, size=kind)
    with pytest.raises(ValueError, match=r"several: 'kind', 'size'\. Choose one of 'text', 'kind', 'size'"):
        read_labels(path, None)
    assert read_labels(path, "size")[0].tolist() == ["cat", "dog", "cat"]
    assert read_data(path, drop=("size",)).y.tolist() == ["cat", "dog", "dog"]


@pytest.mark.parametrize("missing", [-1, None])
def test_a_code_of_no_class_is_a_missing_label(pets, missing):
    with pytest.raises((ValueError, ImportError), match="no label in 1 of 3 rows, the first of them row 1"):
        read_labels(pets([0, missing, 1]), None)


NOTES = ["torn", "[]", '{"info": {"features": {"label": {"names": ["a"], "_type": "ClassLabel"}}}}', '{"info": null}']


@pytest.mark.parametrize("note", NOTES)
def test_notes_that_name_other_classes_are_passed_over(tmp_path, note):
    table = pa.table({"label": [0, 1]}).replace_schema_metadata({"huggingface": note})
    parquet.write_table(table, tmp_path / "t.parquet")
    assert read_labels(tmp_path / "t.parquet", None)[0].tolist() == [0, 1]


def test_a_folder_of_tables_is_no_folder_of_pictures_and_they_are_named(tmp_path):
    (tmp_path / "data").mkdir()
    for part in ("test", "train"):
        pd.DataFrame({"text": ["a", "b"], "label": [0, 1]}).to_parquet(tmp_path / f"data/{part}-00000-of-00001.parquet")
    with pytest.raises(ValueError, match=r"no pictures and 2 table\(s\).*Pass it: '.*test-0.*', '.*train-0.*parquet'"):
        read_data(tmp_path)


def test_what_is_no_parquet_is_named_and_what_reads_it(tmp_path, monkeypatch):
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    with pytest.raises((ValueError, ImportError), match=r"t\.parquet' can't be read as a table"):
        read_labels(tmp_path / "t.parquet", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises((ValueError, ImportError), match="Parquet needs pyarrow: python -m pip install pyarrow"):
        read_labels(tmp_path / "t.parquet", None)
