import numpy as np
import pytest

from curvdetect.review.texts import label_texts, unprotected

CELLS = {
    "plain": ("cat", "cat"),
    "backslash": ("C:\\u0041", "C:\\u0041"),
    "formula": ("'=1+1", "=1+1"),
    "formula with a backslash": ("'=\\\\u0041", "=\\u0041"),
    "apostrophe": ("''quoted", "'quoted"),
    "null": ("'a\\u0000b", "a\0b"),
    "surrogate": ("'\\udc31", "\udc31"),
    "only an apostrophe": ("'", "'"),
    "an apostrophe that was typed": ("'90s", "'90s"),
    "blanks before a formula": ("' \ufeff=1", " \ufeff=1"),
    "a minus": ("'-1", "-1"),
}


@pytest.mark.parametrize(("cell", "text"), CELLS.values(), ids=CELLS)
def test_protection_is_taken_off_again(cell, text):
    assert unprotected(cell) == text


@pytest.mark.parametrize("kind", ["text", "numbers", "dates", "objects"])
def test_a_label_is_the_same_text_alone_as_among_others(kind):
    labels = {
        "text": np.array(["a", "longer"]),
        "numbers": np.array([0.1, 1e30], dtype=np.float32),
        "dates": np.array(["2020-01-01T01", "2021-01-01T00"], dtype="M8[h]"),
        "objects": np.array([1, 2.5], dtype=object),
    }[kind]
    assert label_texts(labels) == [label_texts(labels[i : i + 1])[0] for i in range(2)]
    assert len(set(label_texts(labels))) == 2
