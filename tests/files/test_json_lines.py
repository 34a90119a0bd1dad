"""JSON lines: labels as they are, and copies in which only the values that change are others; gzipped files as well."""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.files.tables import read_labels, rewrite

LABELS = [["007", "7"], [1, 0, -7], [True, False], [1.5, 2.0], ["é\u2028", '"\\', "{}"], [2**70, 1]]


@pytest.mark.parametrize("labels", LABELS, ids=lambda labels: type(labels[0]).__name__)
def test_labels_are_what_they_are(tmp_path, labels):
    (tmp_path / "t.jsonl").write_text("\n".join(json.dumps({"a": 0, "label": label}) for label in labels))
    found, name = read_labels(tmp_path / "t.jsonl", None)
    assert (found.tolist(), name) == (labels, "label")
    assert list(map(type, found.tolist())) == list(map(type, labels))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-1, 1) | st.text('ab",:{}[]\\ é\u2028\n', max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["label", "x"]), inner, max_size=2),
    max_leaves=4,
)


@st.composite
def tables(draw):
    """Return what stands before all, and the parts of each line: before the label, the label, and behind it."""
    labels = draw(st.lists(st.sampled_from(["a", "b\\", '"c"', "é"]), min_size=1, max_size=5))
    lines = []
    for label in labels:
        spelled = json.dumps(label, ensure_ascii=draw(st.booleans()))
        colon, comma = draw(st.sampled_from([(":", ","), (": ", ", "), (" :\t", " , ")]))
        others = draw(st.dictionaries(st.sampled_from(["x", "label ", 'l"abel', "Label"]), VALUES, max_size=3))
        pairs = [f"{json.dumps(key)}{colon}{json.dumps(value)}" for key, value in others.items()]
        place = draw(st.integers(0, len(pairs)))
        earlier = [f'"label"{colon}{json.dumps(draw(VALUES))}'] if draw(st.booleans()) else []  # which doesn't count
        before = comma.join([*earlier, *pairs[:place], f'"label"{colon}'])
        behind = "".join(f"{comma}{pair}" for pair in pairs[place:])
        lines.append([f"{draw(st.sampled_from(['', ' ']))}{{{before}", spelled, f"{behind}}}"])
    ends = [draw(st.sampled_from(["\n", "\r\n", "\n\n", "\n \r\n"])) for _ in lines]
    return draw(st.sampled_from(["", "\ufeff"])), lines, [*ends[:-1], draw(st.sampled_from(["", "\n"]))]


@settings(max_examples=40)
@given(tables(), st.booleans(), st.data())
def test_only_values_that_change_change(table, gzipped, data):
    mark, lines, ends = table

    def content():
        return (mark + "".join("".join(line) + end for line, end in zip(lines, ends, strict=True))).encode()

    with tempfile.TemporaryDirectory() as folder:
        path, new = (Path(folder, name + ".gz" * gzipped) for name in ("t.jsonl", "new.jsonl"))
        path.write_bytes(gzip.compress(content()) if gzipped else content())
        labels, name = read_labels(path, "label")
        assert labels.tolist() == [json.loads(label) for _, label, _ in lines]
        rows = st.integers(0, len(labels) - 1)
        cleaned, spelled = labels.copy(), {json.loads(label): label for _, label, _ in reversed(lines)}
        for row, other in data.draw(st.dictionaries(rows, rows, max_size=3)).items():
            cleaned[row] = labels[other]
            if labels[row] != labels[other]:
                lines[row][1] = spelled[labels[other]]
        rewrite(path, new, name, labels, cleaned)
        assert (gzip.decompress(new.read_bytes()) if gzipped else new.read_bytes()) == content()


REFUSED = {
    "no JSON": ('{"a": 1, "label": 2}\n{"a": 1,\n', r"line 2 of '.*t\.jsonl' is no JSON: "),
    "no object": ("[1, 2]\n", r"line 1 of '.*' is no JSON object, such as \{"),
    "nothing": ("\n", "holds no line"),
    "a missing label": ('{"a": 1}\n{"a": 1, "label": null}\n{"label": "x"}', "no label in 2 of 3 rows, the first .* 0"),
    "several labels": ('{"a": 1, "label": ["x", "y"]}', "each several values at once"),
    "other encodings": (b'{"label": "\xf6"}', "is no UTF-8 text"),
}


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_table_is_said(tmp_path, content, message):
    (tmp_path / "t.jsonl").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=message) as error:
        read_labels(tmp_path / "t.jsonl", "label" if "label" in str(content) else None)
    assert len(str(error.value)) <= 400


@pytest.mark.parametrize(
    "content",
    [gzip.compress(b"a,label\n1,x\n", mtime=0)[:-9], b"a,label\n1,x\n", b"\x1f\x8b\x08"],
    ids=["torn", "not gzipped", "torn in the header"],
)
def test_what_is_torn_or_not_gzipped_is_said(tmp_path, content):
    (tmp_path / "t.csv.gz").write_bytes(content)
    with pytest.raises(ValueError, match=r"t\.csv\.gz' can't be read as a table"):
        read_labels(tmp_path / "t.csv.gz", None)


def test_a_copy_of_a_gzipped_file_is_gzipped_and_the_same_in_every_call(tmp_path):
    frame = pd.DataFrame({"a": np.arange(3), "label": ["x", "y", "x"]})
    frame.to_csv(tmp_path / "t.csv.gz", index=False)
    labels, name = read_labels(tmp_path / "t.csv.gz", None)
    for new in ("one.csv.gz", "two.csv.gz"):
        rewrite(tmp_path / "t.csv.gz", tmp_path / new, name, labels, np.array(["y", "y", "x"]))
    assert (tmp_path / "one.csv.gz").read_bytes() == (tmp_path / "two.csv.gz").read_bytes()
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "one.csv.gz"), frame.assign(label=["y", "y", "x"]))
