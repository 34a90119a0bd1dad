"""Verdicts of a file or a table, put into labels of any kind, and the cells of the file as text."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from curvdetect import apply_verdicts
from curvdetect.review.texts import label_texts, protected, unprotected
from curvdetect.review.verdicts import cleaned_by

HEADER = "index,path,given,suggested,verdict,new_label\r\n"


def table(*rows):
    return pd.DataFrame(rows, columns=["index", "verdict", "new_label"])


def written(path, *lines, mark="\ufeff", end="\r\n"):
    path.write_bytes((mark + HEADER + "".join(line + end for line in lines)).encode())
    return path


KINDS = {
    "list": (["a", "b", "b"], "b"),
    "numbers": (np.array([1, -2, -2], dtype=np.int8), "-2"),
    "numbers with zeros before": (np.array(["007", "7", "7"]), "7"),
    "real numbers": (np.array([1.0, 2.0, 2.0]), "2.0"),
    "booleans": (np.array([True, False, False]), "False"),
    "bytes": (np.array([b"a", b"b", b"b"]), "b'b'"),
    "dates": (np.array(["2020-01-01", "2021-01-01", "2021-01-01"], dtype="M8[ns]"), "2021-01-01T00:00:00.000000000"),
    "a class called NA": (np.array(["x", "NA", "NA"]), "NA"),
    "tensor": (torch.tensor([1, 2, 2]), "2"),
    "objects": (np.array(["a", "b", "b"], dtype=object), "b"),
}


@pytest.mark.parametrize(("y", "new"), KINDS.values(), ids=KINDS)
def test_labels_of_any_kind_through_a_file(tmp_path, y, new):
    path = written(tmp_path / "verdicts.csv", f"0,,{label_texts(np.asarray(y))[0]},x,wrong,{new}")
    cleaned = apply_verdicts(y, path)
    assert cleaned.dtype == np.asarray(y).dtype
    assert cleaned.tolist() == np.asarray(y)[[1, 1, 2]].tolist()


words = st.text("ab7'=-. \\", max_size=3)


@settings(max_examples=40)
@given(st.lists(st.tuples(words, st.sampled_from(["right", "wrong", "unsure", None]), st.integers(0, 5)), min_size=1))
def test_any_verdicts_on_any_text_replace_the_wrong_labels_alone(rows):
    y = np.array([label for label, _, _ in rows], dtype=object)
    said = [(i, verdict, y[new % len(y)]) for i, (_, verdict, new) in enumerate(rows) if verdict]
    wanted = y.tolist()
    for i, verdict, new in said:
        wanted[i] = new if verdict == "wrong" else wanted[i]
    assert apply_verdicts(y, table(*said)).tolist() == wanted
    assert y.tolist() == [label for label, _, _ in rows]


def test_a_series_stays_one_with_its_index_and_kind():
    y = pd.Series(["a", "b", "a"], index=[10, 20, 30], name="label", dtype="category")
    cleaned = apply_verdicts(y, table((2, "wrong", "b")))
    pd.testing.assert_series_equal(cleaned, pd.Series(["a", "b", "b"], index=y.index, name="label", dtype="category"))


TYPED = ["007", "7", "7.0", "+7", "1e3", "1000", "True", "TRUE", "NA", "nan", " 7", "7 ", "'7", "'", "''7", "-7"]


def test_what_was_typed_stays_text(tmp_path):
    seven = TYPED.index("7")
    for new in TYPED:
        cell = f"'{new}" if new.startswith("''") else new  # as the page does
        path = written(tmp_path / "verdicts.csv", f"{seven},,7,x,wrong,{cell}")
        assert apply_verdicts(TYPED, path)[seven] == new
        assert apply_verdicts(TYPED, pd.read_csv(path, dtype=str, keep_default_na=False))[seven] == new


@pytest.mark.parametrize(("y", "new"), [(["007", "7"], 7), (["1", "1.0"], 1.0), (["True", "TRUE"], True)], ids=str)
def test_a_number_that_may_be_several_labels_is_refused(y, new):
    with pytest.raises(ValueError, match=r"verdicts, row 2: .* may be any of the labels .* dtype=str"):
        apply_verdicts(y, table((0, "wrong", new)))
    assert apply_verdicts([1, 2], table((0, "wrong", 2.0), (1, "unsure", None))).tolist() == [2, 2]
    assert apply_verdicts(["x", "7"], table((0, "wrong", 7))).tolist() == ["7", "7"]


def test_a_file_saved_by_others(tmp_path):
    path = tmp_path / "verdicts.csv"
    for mark, end in (("", "\n"), ("\ufeff", "\r\n"), ("", "\r\n\r\n")):  # of an editor, the page, with empty lines
        written(path, "1,,b,a,wrong,a", mark=mark, end=end)
        assert apply_verdicts(["a", "b"], str(path)).tolist() == ["a", "a"]
    for separator in ";\t":
        path.write_text("index,verdict,new_label\n0,wrong,".replace(",", separator) + '"a,b,c,d"')
        assert apply_verdicts(["x", "a,b,c,d"], path).tolist() == ["a,b,c,d"] * 2
    assert apply_verdicts(["a", "b"], written(path)).tolist() == ["a", "b"]  # no verdict yet


def test_verdicts_of_two_persons_who_agree():
    said = pd.concat([table((0, "wrong", "b")), table((0, "wrong", "b"), (1, "right", "b"))])
    assert apply_verdicts(["a", "b"], said).tolist() == ["b", "b"]


#: What people said of one sample, what it becomes, and what it becomes with ``only_agreed``; its label is "a".
PEOPLE = {
    "one": (["b"], "b", "a"),
    "two who agree": (["b", "b"], "b", "b"),
    "two who don't": (["b", "c"], "a", "a"),
    "right and wrong": (["right", "b"], "a", "a"),
    "most": (["b", "b", "right"], "b", "a"),
    "half of them": (["b", "b", "c", "right"], "a", "a"),
    "unsure doesn't count": (["b", "unsure", "unsure"], "b", "a"),
    "two, and one unsure": (["b", "b", "unsure"], "b", "b"),
    "nobody is sure": (["unsure", "unsure"], "a", "a"),
}


@pytest.mark.parametrize(("said", "by_most", "by_all"), PEOPLE.values(), ids=PEOPLE)
def test_verdicts_of_several_people_are_merged(said, by_most, by_all):
    y = ["a", "b", "c"]
    rows = [(0, one, "") if one in ("right", "unsure") else (0, "wrong", one) for one in said]
    files = [table(row) for row in rows]
    assert apply_verdicts(y, files).tolist() == [by_most, "b", "c"]
    assert apply_verdicts(y, tuple(files), only_agreed=True).tolist() == [by_all, "b", "c"]
    assert apply_verdicts(y, table(*rows).assign(annotator=range(len(rows))))[0] == by_most


def test_agreement_counts_what_several_found_right_or_wrong():
    files = [
        table((0, "wrong", "b"), (1, "right", ""), (2, "unsure", "")),
        table((0, "wrong", "b"), (1, "wrong", "a"), (2, "right", "")),
        table((0, "wrong", "b")),
    ]
    agreement = cleaned_by(["a", "b", "a"], files)[1]
    assert agreement == (3, 2, 1)
    assert agreement.told() == "3 people judged. Where several did, they agree on 1 of 2 labels (50 %)."
    assert "and no label twice" in cleaned_by(["a", "b", "a"], [table((0, "right", "")), table()])[1].told()


REFUSALS = {
    "an index beyond": (table((3, "right", "a")), "row 2: the index is 3, and must be a whole number from 0 to 2"),
    "an index below": (table((0, "right", "a"), (-1, "right", "a")), "row 3: the index is -1"),
    "half an index": (table((0.5, "right", "a")), "the index is 0.5"),
    "no index": (table((None, "right", "a")), "the index is None"),
    "a word": (table(("first", "right", "a")), "the index is 'first'"),
    "another verdict": (table((0, "Wrong!", "b")), "the verdict is 'Wrong!'"),
    "another class": (table((0, "wrong", "c")), "the new label of sample 0 is 'c', which no sample of y has. Take one"),
    "no new label": (table((0, "wrong", None)), "is '', which no sample of y has. Fill it in, or make the verdict"),
    "a contradiction": (table((0, "wrong", "b"), (0, "right", "a")), "sample 0 is 'right' here and 'wrong' above"),
    "two other labels": (table((1, "wrong", "a"), (1, "wrong", "b")), "row 3: sample 1 is 'wrong'"),
    "no column": (pd.DataFrame({"index": [0], "verdict": ["right"]}), "verdicts has no column 'new_label'"),
    "a column twice": (table((0, "right", "a")).iloc[:, [0, 0, 1, 2]], "verdicts has two columns 'index'. Leave one"),
    "other data": (table((0, "right", "b")).assign(given="b"), "given label of sample 0 is 'b' there and 'a'"),
}


@pytest.mark.parametrize(("said", "message"), REFUSALS.values(), ids=REFUSALS)
def test_refusals_name_the_row_and_the_way_out(said, message):
    with pytest.raises(ValueError, match=message):
        apply_verdicts(["a", "b", "a"], said)


def test_torn_files_and_other_things_are_refused(tmp_path):
    path = written(tmp_path / "verdicts.csv", "0,,a,b,right,a", "1,,b")
    with pytest.raises(ValueError, match=r"verdicts.csv', row 3: 3 cells below 6 columns"):
        apply_verdicts(["a", "b"], path)
    path.write_text("index,verdict,new_label,,\n0,wrong,b,,\n")
    assert apply_verdicts(["a", "b"], path).tolist() == ["b", "b"]
    path.write_text("")
    with pytest.raises(ValueError, match="has no column 'index'"):
        apply_verdicts(["a", "b"], path)
    with pytest.raises(
        TypeError, match="verdicts must be the path of a file, a DataFrame or a list of these, got dict"
    ):
        apply_verdicts(["a", "b"], {"index": [0]})


def test_protection_is_taken_off_again(tmp_path):
    path = written(tmp_path / "verdicts.csv", "0,,'=1+1,''q,wrong,''q", "2,,'-1,''q,wrong,'=1+1")
    y = np.array(["=1+1", "'q", "-1"], dtype=object)
    assert apply_verdicts(y, path).tolist() == apply_verdicts(y, pd.read_csv(path)).tolist() == ["'q", "'q", "=1+1"]


@settings(max_examples=200)
@given(
    st.text(st.characters(codec=None, exclude_categories=[])) | st.text("'\\u0a= -$", max_size=8),
    st.sampled_from(["", "$"]),
)
def test_what_nobody_sees_is_written_so_that_it_can_be_seen_and_comes_back(text, also):
    written = protected(text, also)
    assert unprotected(written) == text
    assert written.isprintable() or any(c > "\uffff" for c in written)
    assert written == written.strip(" ")
    assert not set(also) & set(written)
