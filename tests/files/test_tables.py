"""CSV and Parquet tables as numbers and labels; what is wrong with one is in the table of refusals."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest

from curvdetect import read_data
from curvdetect.files.tables import _refuse_pictures
from tests.files.tables import read_table


@pytest.fixture
def written(tmp_path):
    """Write text to a file; return the file."""

    def write(text, name="t.csv"):
        content = text.encode()
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return tmp_path / name

    return write


READ = {
    "commas": ("a,b,label\n1,2,x\n3,4.5,y\n", "t.csv"),
    "semicolons": ("a;b;label\n1;2;x\n3;4.5;y\n", "t.csv"),
    "tabs": ("a\tb\tlabel\n1\t2\tx\n3\t4.5\ty\n", "t.tsv"),
    "label first": ("label,a,b\nx,1,2\ny,3,4.5\n", "t.csv"),
    "byte order mark": ("\ufefflabel,a,b\nx,1,2\ny,3,4.5\n", "t.csv"),
    "windows": ("a,b,Label\r\n1,2,x\r\n3,4.5,y\r\n", "t.CSV"),
    "blank lines": ("a,b,label\n\n1,2,x\n\n3,4.5,y\n\n", "t.csv"),
    "blanks around a name": ("a,b, label\n1,2,x\n3,4.5,y\n", "t.csv"),
    "target": ("a,b,target\n1,2,x\n3,4.5,y\n", "t.csv"),
    "old Macintosh": ("a,b,label\r1,2,x\r3,4.5,y", "t.csv"),
    "decimal commas": ("a;b;label\n1;2;x\n3;4,5;y\n", "t.csv"),
    "decimal commas in quotes": ('a,b,label\n1,"2,0",x\n3,"4,5",y\n', "t.csv"),
    "separators in names": ('a,"b;c;d;e",label\n1,2,x\n3,4.5,y\n', "t.csv"),
    "separators in names without quotes": ("a,cm;b,kg;label\n1,0;2,0;x\n3,0;4,5;y\n", "t.csv"),
    "a line end in a name": ('"a\n1",b,label\n1,2,x\n3,4.5,y\n', "t.csv"),
    "names of rows": ("a,b,label\nr1,1,2,x\nr2,3,4.5,y\n", "t.csv"),
    "numbers of rows": ("a,b,label\n1,1,2,x\n2,3,4.5,y\n", "t.csv"),
    "separators at the ends": ("a,b,label\n1,2,x,\n3,4.5,y,\n", "t.csv"),
    "gzipped": ("a\tb\tlabel\n1\t2\tx\n3\t4.5\ty\n", "t.tsv.gz"),
    "JSON lines": ('{"a": 1, "b": 2, "label": "x"}\n{"label": "y", "a": 3, "b": 4.5}\n', "t.jsonl"),
    "JSON lines, gzipped": ('{"a": 1, "b": 2, "label": "x"}\n{"label": "y", "a": 3, "b": 4.5}', "t.ndjson.gz"),
    "numbers as names": ("0,1,label\n1,2,x\n3,4.5,y\n", "t.csv"),
}


@pytest.mark.parametrize(("text", "name"), READ.values(), ids=READ)
def test_numbers_and_labels_of_text(written, text, name):
    X, y, *_ = read_table(written(text, name), None)
    assert X.to_numpy().tolist() == [[1.0, 2.0], [3.0, 4.5]]
    assert y.tolist() == ["x", "y"]


def test_a_class_may_have_the_name_of_its_column(written):
    assert read_table(written("a,y\n1,n\n2,y\n"), None)[1].tolist() == ["n", "y"]


MANY = ",".join(f"p{i}" for i in range(60))


@pytest.mark.parametrize(
    ("header", "shown"), [(f"{MANY},diagnosis", "'diagnosis', 'p0', 'p1'"), (f"{MANY},y,z,class", "'y', 'class', 'p0'")]
)
def test_of_many_columns_the_likely_ones_are_offered_first(written, header, shown):
    with pytest.raises(ValueError, match=f"Choose one of {shown}"):
        read_table(written(f"{header}\n"), None)


def test_dropped_columns_are_shown_and_name_no_labels_and_truth_values_are_numbers(written):
    X, y, _, shown = read_table(written("id,a,ok,y,word\nr1,1,True,0,x\nr2,2,False,1,\n"), None, ("id", "word"))
    assert X.to_numpy().tolist() == [[1.0, 1.0], [2.0, 0.0]]
    assert y.dtype.kind == "i"
    assert shown.fillna("").to_numpy().tolist() == [["r1", 1, True, "x"], ["r2", 2, False, ""]]
    assert read_table(written("a,y,label\n1,2,x\n3,4,z\n"), None, ("y",))[1].tolist() == ["x", "z"]


def test_decimal_commas_of_labels_say_nothing_of_the_other_columns(written):
    X, y, *_ = read_table(written("a;label\n1.5;2,5\n2.5;3,0\n"), None)
    assert X["a"].tolist() == [1.5, 2.5]
    assert y.tolist() == ["2,5", "3,0"]


@pytest.mark.parametrize("name", ["", "id"], ids=["saved by pandas", "id"])
def test_a_column_that_numbers_the_rows_is_named(written, name, recwarn):
    shown = name or "Unnamed: 0"
    with pytest.warns(UserWarning, match=rf"numbers in '{shown}' seem to number the rows.*drop=\['{shown}'\]"):
        read_table(written(f"{name},a,y\n" + "".join(f"{3 * i + 1},{i % 7},x\n" for i in range(10))), None)
    for column in (range(9), [*range(10), 9], range(10, 0, -1), np.arange(10) + 0.5):
        read_table(written("a,y\n" + "".join(f"{a},x\n" for a in column)), None)
    assert not recwarn


def refused(columns, path):
    with pytest.raises((ValueError, ImportError)) as error:
        _refuse_pictures(pd.DataFrame(columns), path)
    assert len(str(error.value)) <= 400
    return str(error.value)


def test_files_within_a_table_that_are_no_pictures_are_named(tmp_path):
    message = refused({"a": [1.0, 2.0], "picture": [{"bytes": b"PNG", "path": None}] * 2}, tmp_path / "t.csv")
    assert message.startswith("column 'picture' of 't.csv' holds contents of files, and the first of them")


@pytest.mark.parametrize("again", ["a,label,b", " a , label,b ", "\ufeffa,label,b"])
def test_the_line_of_names_is_no_row_as_it_is_where_files_are_joined(tmp_path, again):
    path = tmp_path / "t.csv"
    path.write_text(f"a,label,b\n1,x,2\n3,y,4\n{again}\n5,x,6\n")
    with pytest.raises(ValueError, match=r"row 2 \(counted from 0\) of '.*t\.csv' is the line of names again"):
        read_data(path)
    path.write_text("a,label,b\n1,x,2\n3,label,4\n5,x,6\n")
    assert read_data(path).y.tolist() == ["x", "label", "x"]


def test_a_column_is_chosen_without_the_blanks_around_its_name(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a, kind \n1,x\n3,y\n")
    assert read_data(path, label="kind").y.tolist() == ["x", "y"]
