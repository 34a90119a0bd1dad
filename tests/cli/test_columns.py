"""Columns as numbers, and those that are none by name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from curvdetect.cli.columns import as_numbers
from curvdetect.cli.console import Failure
from tests.files import write_pictures

WAY = "a table of pictures can't be read yet. Put the pictures into folders by class"


def refused(columns, path):
    with pytest.raises(Failure) as error:
        as_numbers(pd.DataFrame(columns), path)
    message = error.value.message
    assert len(message) <= 400
    return message


PICTURES = {
    "names": (["0.png", "1.PNG"], "names pictures ('0.png')"),
    "addresses": (["http://a/0.jpg", "http://a/1.jpg"], "names pictures ('http://a/0.jpg')"),
    "names without endings": (["dog/0", "dog/1"], "names pictures ('dog/0')"),
    "names in a folder beside": (["0", "1"], "names pictures ('0')"),
    "pictures": ([{"bytes": b"PNG", "path": None}] * 2, "holds pictures"),
}


@pytest.mark.parametrize(("column", "said"), PICTURES.values(), ids=PICTURES)
def test_a_column_of_pictures_is_named_and_not_to_be_dropped(tmp_path, column, said):
    write_pictures(tmp_path, n=2)
    message = refused({"a": [1.0, 2.0], "picture": column}, tmp_path / "t.csv")
    assert message.startswith(f"column 'picture' of 't.csv' {said}, and {WAY}")
    assert "--drop" not in message


def test_numbers_that_name_pictures_beside_the_table_are_no_numbers(tmp_path):
    write_pictures(tmp_path, n=12)
    assert WAY in refused({"id": range(12)}, tmp_path / "t.csv")
    with pytest.warns(UserWarning, match="seem to number the rows"):  # of which one names no picture
        as_numbers(pd.DataFrame({"id": range(13)}), tmp_path / "t.csv")


OTHERS = {
    "words": (["a", "b"], " ('a')"),
    "names of other files": (["a.txt", "b.txt"], " ('a.txt')"),
    "dates": (pd.to_datetime(["2020-01-01", "2021-01-01"]), " ('2020-01-01')"),
    "numbers as text": (["1.5", "2"], " ('1.5')"),
    "numbers but one": (["1.5", "?"], " ('?')"),
    "lists": ([[1, 2], [3]], " ('[1, 2]')"),
    "nothing": ([None, None], ""),
}


@pytest.mark.parametrize(("column", "example"), OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("beside", [True, False], ids=["beside numbers", "alone"])
def test_a_column_of_no_numbers_is_named_with_the_way_out(tmp_path, column, example, beside):
    message = refused({**({"a": [1, 2]} if beside else {}), "c": column}, tmp_path / "t.csv")
    assert message.startswith(f"'t.csv' has something else than numbers in 'c'{example}. A network takes numbers: ")
    assert ("--drop 'c'" in message) is beside
    assert ("embeddings" in message) is not beside


@pytest.mark.parametrize("width", [1, 30, 300])
@pytest.mark.parametrize("n_columns", [1, 3, 100])
def test_however_many_columns_and_however_long_their_names_the_message_is_short(tmp_path, n_columns, width):
    names = [f"{i}{'x' * width}" for i in range(n_columns)]
    columns = dict.fromkeys(names, ["long " * 99] * 2)
    gaps = {f"{name} too": [1, np.nan] for name in names}
    message = refused({"a": [1, 2], **columns, **gaps}, tmp_path / ("z" * 200 + ".csv"))
    dropped = [name for name in names if f"--drop '{name}'" in message]
    assert dropped == names[: 0 if width == 300 else 1 if width == 30 else 3]
