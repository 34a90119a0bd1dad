"""CSV and Parquet tables as numbers and labels."""

from __future__ import annotations

import click
import numpy as np
import pytest

from curvdetect.cli.console import Failure
from curvdetect.cli.tables import read_table


@pytest.fixture
def written(tmp_path):
    """Write text to a file; return the file."""

    def write(text, name="table.csv", encoding="utf-8"):
        (tmp_path / name).write_bytes(text.encode(encoding))
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
    "numbers as names": ("0,1,label\n1,2,x\n3,4.5,y\n", "t.csv"),
}


@pytest.mark.parametrize(("text", "name"), READ.values(), ids=READ)
def test_numbers_and_labels_of_text(written, text, name):
    table = read_table(written(text, name), None, ())
    assert table.X.to_numpy().tolist() == [[1.0, 2.0], [3.0, 4.5]]
    assert table.y.tolist() == ["x", "y"]


def test_truth_values_are_numbers_and_dropped_columns_are_none(written):
    path = written("when,a,ok,label\n2024-01-01,1,True,0\n2024-01-02,2,False,1\n")
    table = read_table(path, None, ("when",))
    assert table.X.to_numpy().tolist() == [[1.0, 1.0], [2.0, 0.0]]
    assert table.y.dtype.kind == "i"


def test_what_is_left_out_is_shown_all_the_same(written):
    table = read_table(written("id,a,y,word\nr1,1,cat,x\nr2,2,dog,\n"), None, ("id", "word"))
    assert list(table.X) == ["a"]
    assert table.shown.fillna("").to_numpy().tolist() == [["r1", 1, "x"], ["r2", 2, ""]]


def test_of_two_columns_named_as_labels_the_one_that_is_not_dropped_is_taken(written):
    path = written("a,y,label\n1,2,x\n3,4,z\n")
    assert read_table(path, None, ("y",)).y.tolist() == ["x", "z"]
    with pytest.raises(click.BadParameter, match="'label' holds the labels"):
        read_table(path, "label", ("label",))


def test_a_label_may_be_called_na(written):
    table = read_table(written("a,country\n1,NA\n2,DE\n3,None\n4,nan\n"), "country", ())
    assert table.y.tolist() == ["NA", "DE", "None", "nan"]


WRONG = {
    "no label": ("a,b\n1,2\n", None, (), click.BadParameter, "no column named like a label. Choose one of 'a', 'b'"),
    "two labels": ("y,label\n1,2\n", None, (), click.BadParameter, "several: 'y', 'label'"),
    "other label": ("a,y\n1,2\n", "b", (), click.BadParameter, "no column 'b'"),
    "other column to drop": ("a,y\n1,2\n", None, ("c",), click.BadParameter, "no column 'c' in .* which has 'a', 'y'"),
    "text": ("a,b,y\n1,u,2\n", None, (), Failure, "numbers in 'b' \\('u'\\)\\. .*--drop 'b'"),
    "text in one cell": ("a,b,y\n1,2,2\n1,?,2\n", None, (), Failure, "numbers in 'b' \\('[?]'\\)"),
    "texts alone": (
        "a,y\nsome words,2\n",
        None,
        (),
        Failure,
        "numbers in 'a' .*: make them numbers, such as embeddings",
    ),
    "dates": ("a,b,y\n1,2020-01-01,2\n", None, (), Failure, "numbers in 'b' \\('2020-01-01'\\)"),
    "thousands": ("a;y\n1,234;2\n999;2\n", None, (), Failure, "numbers in 'a' \\('1,234'\\)"),
    "two kinds of decimals": ("a;b;y\n1,5;2.5;2\n", None, (), Failure, "numbers in 'a' \\('1,5'\\)"),
    "missing number": ("a,b,y\n1,2,0\n,3,1\n", None, (), Failure, "missing .* in 1 of 2 rows of 'a'"),
    "infinite number": ("a,b,y\n1,2,0\n1,inf,1\n", None, (), Failure, "1 of 2 rows of 'b'"),
    "words and gaps": (
        "a,b,c,y\n1,u,,2\n",
        None,
        (),
        Failure,
        "numbers in 'b' \\('u'\\) and missing .* of 'c'\\. .*out \\(--drop 'b' --drop 'c'\\)",
    ),
    "no header": ("5.1,3.5,x\n4.9,3,x\n", None, (), Failure, "no header: its first line is '5.1', '3.5', 'x'"),
    "no header and whole numbers": ("5,0,0,x\n4,0,1,x\n", None, (), Failure, "no header"),
    "no header, and a number of it": ("5,0,0,1\n4,0,1,5\n5,1,1,0\n", "5", (), Failure, "no header"),
    "no header, and a label of it": ("5.1,3.5,x\n4.9,3,x\n", "x", (), Failure, "no header"),
    "a title": (
        "of 2020\na,b,y\n1,2,2\n",
        None,
        (),
        Failure,
        "has 1 names of columns .*, and 3 cells in its first row",
    ),
    "other separators": ("a|y\n1|2\n", None, (), Failure, "has one column, 'a[|]y'. Part columns by commas"),
    "an open quote": ('a,y\n1,"2\n', None, (), Failure, "can't be read as a table"),
    "missing label": ("a,y\n1,2\n3,\n5,\n", None, (), Failure, "no label in 2 of 3 rows, the first of them row 1"),
    "labels only": ("y\n1\n2\n", None, (), Failure, "no column is left"),
    "no rows": ("a,y\n", None, (), Failure, "has names of columns and no rows"),
    "nothing": ("", None, (), Failure, "can't be read as a table"),
    "rows of other lengths": ("a,y\n1,2\n1,2,3,4\n", None, (), Failure, "can't be read as a table"),
}


@pytest.mark.parametrize(("text", "label", "drop", "kind", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_with_a_table_is_said_by_name(written, text, label, drop, kind, message):
    with pytest.raises(kind, match=message):
        read_table(written(text), label, drop)


@pytest.mark.parametrize("name", ["", "id"], ids=["saved by pandas", "id"])
def test_a_column_that_numbers_the_rows_is_named(written, name):
    text = f"{name},a,y\n" + "".join(f"{3 * i + 1},{i % 7},x\n" for i in range(10))
    shown = name or "Unnamed: 0"
    with pytest.warns(UserWarning, match=f"numbers in '{shown}' seem to number the rows.*--drop '{shown}'"):
        read_table(written(text), None, ())


@pytest.mark.parametrize("column", [range(9), [*range(10), 9], range(10, 0, -1), np.arange(10) + 0.5], ids=str)
def test_other_numbers_are_taken_without_a_word(written, column, recwarn):
    read_table(written("a,y\n" + "".join(f"{a},x\n" for a in column)), None, ())
    assert not recwarn


def test_decimal_commas_of_labels_say_nothing_of_the_other_columns(written):
    table = read_table(written("a;label\n1.5;2,5\n2.5;3,0\n"), None, ())
    assert table.X["a"].tolist() == [1.5, 2.5]
    assert table.y.tolist() == ["2,5", "3,0"]


def test_other_encodings_are_refused(written):
    with pytest.raises(Failure, match="no UTF-8 text"):
        read_table(written("a,y\n1,größe\n", encoding="latin-1"), None, ())
