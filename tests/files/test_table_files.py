"""Text files: labels as they are spelled, and copies in which only the cells that change are others."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curvdetect.files.text_table import TextFile
from tests.files.tables import read_labels, rewrite

TEXT = [
    ["007", "7", "08"],
    ["1.0", "1", "1.50"],
    ["True", "TRUE", "true", "False"],
    ["0x1F", "1e3", "1_000", "10"],
    ["+1", "1", "-1"],
    [" 1", "1", "1 ", " "],
    ["NA", "None", "null", "nan", "NaN", "N/A", "#N/A", "-"],
    ["9223372036854775808", "1"],  # beyond 64 bits
    ["1" * 5000, "1"],
    ["2020-01-01", "1/2"],
    ['say "a"', "'s", '"'],
    ["a,b", "a;b", "a\tb", "a\r\nb"],
    ["\u0661", "1"],  # a digit of another writing
]
WHOLE = [["0", "-7", "10"], ["9223372036854775807", "-9223372036854775808"]]


def spelled(cell, separator=",", always=False):
    """Return a cell as it stands in a file."""
    special = always or any(sign in cell for sign in f'{separator}"\r\n')
    return '"' + cell.replace('"', '""') + '"' if special else cell


@pytest.mark.parametrize("always", [False, True], ids=["plain", "in quotes"])
@pytest.mark.parametrize("labels", [*TEXT, *WHOLE], ids=lambda labels: labels[0][:9])
def test_labels_are_text_unless_all_are_whole_numbers(tmp_path, labels, always):
    rows = [["a", "label"], *([str(i), label] for i, label in enumerate(labels))]
    lines = [",".join(spelled(cell, always=always) for cell in row) for row in rows]
    (tmp_path / "t.csv").write_bytes("\r\n".join(lines).encode())
    found, _ = read_labels(tmp_path / "t.csv", None)
    assert found.tolist() == (list(map(int, labels)) if labels in WHOLE else labels)
    assert found.dtype.kind == ("i" if labels in WHOLE else "U")


@st.composite
def files(draw):
    """Return a separator, what stands before all, the cells of all lines as they are spelled, and what ends them."""
    separator = draw(st.sampled_from([",", ";", "\t"]))
    always = draw(st.booleans())
    cells = st.text("ab01 .-,;\t\"'\r\né", max_size=4)
    names = st.lists(cells.map(lambda name: f"x{name}"), min_size=1, max_size=3, unique=True)
    header = draw(names)
    labels = draw(st.lists(st.one_of(cells, st.sampled_from(["1", "0"])).filter(bool), min_size=1, max_size=3))
    place = draw(st.integers(0, len(header)))
    lines = [[spelled(name, ",;\t", always) for name in header]]
    more = draw(st.booleans())  # names of rows, without one of their own
    for _ in range(draw(st.integers(1, 6))):
        row = draw(st.lists(cells, min_size=len(header), max_size=len(header)))
        lines.append([spelled(cell, separator, always) for cell in row])
        lines[-1].insert(place, spelled(draw(st.sampled_from(labels)), separator, always))
        if more:
            lines[-1].insert(0, f"row {len(lines)}")
            lines[-1][-1] = lines[-1][-1] or "x"  # not what each line ends with
    lines[0].insert(place, spelled("label", separator, always))
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    blank = ["", "", end, f"  {end}"] if end != "\r" else [""]  # behind which pandas passes over a separator
    ends = [end + draw(st.sampled_from(blank)) for _ in lines]
    ends[-1] = draw(st.sampled_from([ends[-1], ""]))
    return separator, draw(st.sampled_from(["", "\ufeff"])), lines, ends, place + more


def joined(separator, mark, lines, ends):
    content = "".join(separator.join(line) + end for line, end in zip(lines, ends, strict=True))
    return (mark + content).encode()


@settings(max_examples=30)  # of which each waits for a disk
@given(files(), st.data())
def test_only_cells_that_change_change(file, data):
    separator, mark, lines, ends, place = file
    with tempfile.TemporaryDirectory() as folder:
        path, new = Path(folder, "t.csv"), Path(folder, "new.csv")
        path.write_bytes(joined(separator, mark, lines, ends))
        labels, name = read_labels(path, "label")
        by_pandas = pd.read_csv(path, sep=separator, encoding="utf-8-sig", dtype=str, keep_default_na=False)
        assert list(map(str, labels.tolist())) == by_pandas["label"].tolist()
        rows = st.integers(0, len(labels) - 1)
        changes = data.draw(st.dictionaries(rows, rows, max_size=3))
        cleaned, cells = labels.copy(), [line[place] for line in lines[1:]]
        for row, other in changes.items():
            cleaned[row], lines[1 + row][place] = labels[other], cells[other]
        rewrite(path, new, name, labels, cleaned)
        assert new.read_bytes() == joined(separator, mark, lines, ends)


def test_a_stray_quote_in_a_name_parts_nothing(tmp_path):
    (tmp_path / "t.csv").write_text('5" pipe;b,c;label\n1;2;x\n')
    assert read_labels(tmp_path / "t.csv", None)[0].tolist() == ["x"]


def test_a_column_without_a_name_and_a_name_given_twice(tmp_path):
    (tmp_path / "t.csv").write_text(",label,label\n1,x,y\n2,z,w\n")
    for label, wanted in {"label.1": ["y", "w"], "Unnamed: 0": [1, 2]}.items():
        labels, name = read_labels(tmp_path / "t.csv", label)
        assert labels.tolist() == wanted
        rewrite(tmp_path / "t.csv", tmp_path / "new.csv", name, labels, np.repeat(labels[:1], 2))
        assert read_labels(tmp_path / "new.csv", label)[0].tolist() == wanted[:1] * 2


def test_blank_lines_between_lone_returns_move_no_cell(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"x,y,label\r1,2,a\r\r,4,b\r5,6,c\r")
    table = TextFile(tmp_path / "t.csv")
    assert table.labels("label").tolist() == table.frame()["label"].tolist() == ["a", "b", "c"]
    assert table.frame()["y"].tolist() == [2, 4, 6]
