"""Suspects written for other tools, and what these exported: ``exports/`` has files as the real tools wrote them.

They are of Label Studio 1.23.2, FiftyOne 1.22.1 and Argilla 2.8.0. In those of several people, Ann and Bob said of the
samples 4, 2, 5, 0 and 1: dog and dog, dog and fox, skipped and cat, cat and cat, fox and skipped.
"""

import csv
import json
import shutil
from base64 import b64encode
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from curvdetect import apply_verdicts
from curvdetect.review.exports import TOOLS
from curvdetect.review.exports.reading import read_verdicts
from curvdetect.review.exports.suspects import Suspects
from curvdetect.review.exports.tool import tool_named

EXPORTS = Path(__file__).with_name("exports")
Y = np.array(["cat", "dog", "dog", "fox", "cat", "fox"])
ORDER = [4, 2, 5, 0, 1, 3]
#: What the classes may be that a tool could take for something else.
HOSTILE = [
    "$path",
    "$5",
    "a, b",
    "<b>x</b>",
    '"q" &amp; \'',
    '{"choices": ["a, b"]}',
    "[1]",
    "x\ny",
    " z ",
    "7",
    "True",
    "null",
    "=1+1",
    "'=1",
    "''=1",
    "\x07",
    "\u202eevil",
    "\ud800",
    "\\u0041",
    "é 日本",
    "a\\b",
]
KINDS = {
    "hostile": HOSTILE,
    "numbers": [-2, 7, 10],
    "real numbers": [1.0, 2.5],
    "dates": np.array(["2020-01-01", "2021-05-03"], dtype="M8[D]"),
    "bytes": [b"a", b"b\xff"],
    "booleans": [True, False],
}


def suspects(y=Y, order=ORDER, kind="texts", flagged=True, root=None, **columns):
    """Return suspects whose suggested label is the next class."""
    y, order = np.asarray(y), np.asarray(order)
    classes = np.unique(y)
    text = object if y.dtype == object else None  # pandas' own kind of text holds no lone surrogate
    ranking = {
        "index": order,
        "given": pd.Series(y[order], dtype=text),
        "score": np.arange(len(order))[::-1],
        "flagged": flagged,
    }
    following = classes[(np.searchsorted(classes, y[order]) + 1) % len(classes)]
    ranking["suggested"] = pd.Series(following, dtype=text)
    shown = {"kind": kind, kind: {str(i): uri() if kind == "pictures" else f"about {i}" for i in order}}
    return Suspects(
        pd.DataFrame({**ranking, "rank": np.arange(1, len(order) + 1), **columns}), classes, shown, root=root
    )


def uri(grey=0):
    content = BytesIO()
    Image.new("L", (4, 4), grey).save(content, format="png")
    return f"data:image/png;base64,{b64encode(content.getvalue()).decode()}"


# ---- what the tools exported ----------------------------------------------------------------------------------------

BY_MOST = ["cat", "fox", "dog", "fox", "dog", "cat"]
BY_ALL = ["cat", "dog", "dog", "fox", "dog", "fox"]
BY_ONE = ["cat", "dog", "dog", "fox", "dog", "cat"]
WRITTEN = {
    "label-studio.json": (BY_MOST, BY_ALL),
    "label-studio-min.json": (BY_MOST, BY_ALL),
    "label-studio.csv": (BY_MOST, BY_ALL),
    "argilla-flat.json": (BY_MOST, BY_ALL),
    "argilla-dataset.jsonl": (BY_MOST, BY_ALL),
    "argilla-nested.json": (BY_ONE, BY_ONE),  # which has lost that answers were discarded
    "fiftyone": (BY_ONE, list(Y)),
    "fiftyone.json": (BY_ONE, list(Y)),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_what_a_tool_exported_becomes_labels(name):
    most, agreed = WRITTEN[name]
    assert apply_verdicts(Y, EXPORTS / name).tolist() == most
    assert apply_verdicts(Y, [str(EXPORTS / name)], only_agreed=True).tolist() == agreed
    with pytest.raises(ValueError, match=r"given label of sample 4 is 'cat' there and 'dog' in y"):
        apply_verdicts(np.roll(Y, 2), EXPORTS / name)


def test_people_of_different_tools_together():
    files = [EXPORTS / name for name in ("label-studio.json", "argilla-flat.json", "fiftyone")]
    assert apply_verdicts(Y, files).tolist() == BY_MOST
    # of 2, three say right and two fox; of 5, three say cat
    assert apply_verdicts(Y, files, only_agreed=True).tolist() == ["cat", "fox", "dog", "fox", "dog", "cat"]


def changed(name, change, tmp_path):
    """Return an export in which something is different."""
    content = json.loads((EXPORTS / name).read_text())
    change(content)
    path = tmp_path / name
    path.write_text(json.dumps(content))
    return path


def test_answers_that_are_no_single_label_are_unsure(tmp_path):
    def several(tasks):
        for task in tasks:
            for annotation in task["annotations"]:
                annotation["result"][0]["value"]["choices"] = ["dog", "fox"]

    assert set(read_verdicts(changed("label-studio.json", several, tmp_path))["verdict"]) == {"unsure"}
    for value in ({"choices": None}, {}, None):

        def lost(tasks, value=value):
            for task in tasks:
                for annotation in task["annotations"]:
                    annotation["result"][0]["value"] = value

        assert set(read_verdicts(changed("label-studio.json", lost, tmp_path))["verdict"]) == {"unsure"}
    nothing = changed(
        "label-studio.json", lambda tasks: [t["annotations"][0].update(result=[]) for t in tasks[:5]], tmp_path
    )
    assert read_verdicts(nothing)["verdict"].value_counts()["unsure"] == 6
    lines = json.loads((EXPORTS / "label-studio-min.json").read_text())
    for cell in ({"choices": ["dog", "fox"]}, ["dog", "fox"], '{"choices": ["dog", "fox"]}', "[torn"):
        path = tmp_path / "min.json"
        path.write_text(json.dumps([{**lines[0], "label": cell}]))
        assert read_verdicts(path)["verdict"].tolist() == ["unsure"]

    def two_tags(samples):
        samples["samples"][0]["tags"] = ["right", "wrong"]
        samples["samples"][1].update(tags=[], ground_truth=None)

    table = read_verdicts(changed("fiftyone.json", two_tags, tmp_path)).set_index("index")
    assert table.loc[["4", "2"], "verdict"].tolist() == ["unsure", "unsure"]


def test_the_last_answer_of_a_person_counts(tmp_path):
    def again(tasks):
        first = tasks[0]["annotations"][0]
        later = json.loads(json.dumps(first)) | {"updated_at": "2999-01-01T00:00:00Z"}
        later["result"][0]["value"]["choices"] = ["cat"]
        tasks[0]["annotations"].insert(0, later)

    path = changed("label-studio.json", again, tmp_path)
    assert apply_verdicts(Y, path)[4] == "cat"  # one against one


# ---- what is written ------------------------------------------------------------------------------------------------


def answered(name, folder, option):
    """Return an export as a tool would make it, where a person chose the option of this number everywhere."""
    if name == "label-studio":
        choices = [choice.get("value") for choice in ElementTree.parse(folder / "label-studio.xml").iter("Choice")]
        tasks = json.loads((folder / "label-studio.json").read_text())
        for task in tasks:
            result = task.pop("predictions")[0]["result"]
            result[0]["value"]["choices"] = [choices[option]]
            task["annotations"] = [{"result": result, "completed_by": 1, "was_cancelled": False, "updated_at": ""}]
        return tasks
    if name == "fiftyone":
        data = json.loads((folder / "fiftyone" / "samples.json").read_text())
        options = {sample["curvdetect_index"]: sample["ground_truth"]["label"] for sample in data["samples"]}
        for sample in data["samples"]:
            sample["ground_truth"]["label"] = options[option]
        return data
    options = json.loads((folder / "argilla-settings.json").read_text())["questions"][0]["settings"]["options"]
    records = [json.loads(line) for line in (folder / "argilla.jsonl").read_text().splitlines()]
    for record in records:
        record["responses"] = {"label": [{"value": options[option]["value"], "user_id": "1"}]}
        record["status"] = "completed"
    return records


@pytest.mark.parametrize("name", TOOLS)
@pytest.mark.parametrize("y", KINDS.values(), ids=KINDS)
def test_labels_of_any_kind_and_text_come_back_as_they_were(tmp_path, name, y):
    y = np.unique(np.array(y, dtype=object if isinstance(y[0], str) else None))
    tool_named(name).write(suspects(y, np.arange(len(y)), "pictures"), tmp_path)
    for option in range(len(y)):
        path = tmp_path / "answers.json"
        path.write_text(json.dumps(answered(name, tmp_path, option)))
        cleaned = apply_verdicts(y, path)
        assert cleaned.dtype == y.dtype
        assert cleaned.tolist() == [y.tolist()[option]] * len(y)


def test_flagged_samples_are_written_with_a_score_between_0_and_1(tmp_path):
    for name in TOOLS:
        tool_named(name).write(suspects(kind="pictures", flagged=[True, True, False, False, False, False]), tmp_path)
    tasks = json.loads((tmp_path / "label-studio.json").read_text())
    assert [task["data"]["curvdetect_index"] for task in tasks] == [4, 2]
    assert [task["predictions"][0]["score"] for task in tasks] == [pytest.approx(11 / 12, abs=1e-6), 0.75]
    samples = json.loads((tmp_path / "fiftyone" / "samples.json").read_text())["samples"]
    assert [sample["mistakenness"] for sample in samples] == [task["predictions"][0]["score"] for task in tasks]
    records = [json.loads(line) for line in (tmp_path / "argilla.jsonl").read_text().splitlines()]
    assert [record["suggestions"]["label"]["value"] for record in records] == ["dog", "fox"]
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {file for name in TOOLS for file in tool_named(name).LEFT} | {
        f"fiftyone/data/{i}.png" for i in (4, 2)
    }


@pytest.mark.parametrize("name", ["label-studio.json", "argilla.jsonl", "fiftyone"])
def test_what_nobody_has_judged_yet_changes_nothing_and_is_warned_of(tmp_path, name):
    for tool in TOOLS:
        tool_named(tool).write(suspects(kind="pictures"), tmp_path)
    with pytest.warns(UserWarning, match="holds no verdict: nobody has judged a suspect in it"):
        assert apply_verdicts(Y, tmp_path / name).tolist() == Y.tolist()


def test_fiftyone_shows_the_files_of_pictures_where_they_are(tmp_path):
    root = tmp_path / "photos"
    (root / "cat").mkdir(parents=True)
    Image.new("L", (4, 4)).save(root / "cat" / "4.png")
    paths = [f"cat/{i}.png" for i in ORDER]
    tool_named("fiftyone").write(suspects(kind="pictures", root=root, path=paths), tmp_path / "found")
    samples = json.loads((tmp_path / "found" / "fiftyone" / "samples.json").read_text())["samples"]
    assert samples[0]["filepath"] == "../../photos/cat/4.png"
    assert all((tmp_path / "found" / "fiftyone" / sample["filepath"]).is_file() for sample in samples)
    assert read_verdicts(tmp_path / "found" / "fiftyone").empty  # nobody has judged yet


def test_a_picture_that_is_gone_is_empty_and_none_of_fiftyone(tmp_path):
    shown = {"kind": "pictures", "pictures": {"0": uri(), "1": None}}
    ranking = pd.DataFrame({"index": [0, 1], "given": ["a", "b"], "suggested": ["b", "a"], "score": [2, 1]})
    table = Suspects(ranking.assign(rank=[1, 2], flagged=True), np.array(["a", "b"]), shown)
    for name in TOOLS:
        tool_named(name).write(table, tmp_path)
    tasks = json.loads((tmp_path / "label-studio.json").read_text())
    assert [task["data"]["sample"] for task in tasks] == [uri(), ""]
    assert len(json.loads((tmp_path / "fiftyone" / "samples.json").read_text())["samples"]) == 1


def test_rows_are_lines_of_text(tmp_path):
    rows = {"kind": "rows", "rows": {"0": [1, "a\0b"], "1": [2, "\ud800"]}, "columns": ["n", "word"], "n_columns": 5}
    ranking = pd.DataFrame({"index": [0, 1], "given": ["a", "b"], "suggested": ["b", "a"], "score": [2, 1]})
    table = Suspects(ranking.assign(rank=[1, 2], flagged=True), np.array(["a", "b"]), rows)
    tool_named("label-studio").write(table, tmp_path)
    tasks = json.loads((tmp_path / "label-studio.json").read_text())
    assert tasks[0]["data"]["sample"] == "n: 1\nword: a\ufffdb\nand 3 more columns"
    assert ElementTree.parse(tmp_path / "label-studio.xml").find("Text").get("valueType") == "text"


def test_many_classes_are_a_list_that_opens(tmp_path):
    for n_classes, layout in ((30, "inline"), (31, "select")):
        y = np.array([f"class {i}" for i in range(n_classes)])
        tool_named("label-studio").write(suspects(y, np.arange(n_classes)), tmp_path)
        assert ElementTree.parse(tmp_path / "label-studio.xml").find("Choices").get("layout") == layout


# ---- what is no export ----------------------------------------------------------------------------------------------


def test_other_files_are_refused_with_what_is_taken(tmp_path):
    path = tmp_path / "other.json"
    for content, seen in (
        ('[{"image": 1, "label": "cat"}]', "records of 'image', 'label', without the 'curvdetect_index'"),
        ("[]", "records of nothing"),
        ('{"classes": null, "labels": {"0": "cat"}}', "records of 'classes', 'labels'"),
        ('[{"data": {}}, 3', "is torn JSON"),
    ):
        path.write_text(content)
        with pytest.raises(ValueError, match=seen) as raised:
            apply_verdicts(Y, path)
        assert len(str(raised.value).replace(str(path), "")) < 400
    path.write_text("path,label\na.png,cat\n")
    with pytest.raises(
        ValueError, match=r"has no column 'index'; it has 'path', 'label'\. Pass .* or what Label Studio"
    ):
        apply_verdicts(Y, path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="is no text in UTF-8"):
        apply_verdicts(Y, path)
    with pytest.raises(ValueError, match=r"is a folder without samples\.json or records\.json"):
        apply_verdicts(Y, tmp_path)


def test_an_index_that_is_none_names_the_task(tmp_path):
    for index in ("first", 99, {"a": 1}, None, True):
        path = changed(
            "label-studio.json", lambda tasks, i=index: tasks[0]["data"].update(curvdetect_index=i), tmp_path
        )
        with pytest.raises(ValueError, match=r"label-studio.json', task \d+: the index is "):
            apply_verdicts(Y, path)


def test_a_picture_within_a_cell_is_read(tmp_path):
    limit = csv.field_size_limit()
    table = pd.read_csv(EXPORTS / "label-studio.csv", dtype=str, keep_default_na=False).assign(sample="x" * (limit + 1))
    table.to_csv(tmp_path / "long.csv", index=False)
    assert apply_verdicts(Y, tmp_path / "long.csv").tolist() == BY_MOST
    assert csv.field_size_limit() == limit


# ---- Label Studio's own code ----------------------------------------------------------------------------------------


@pytest.mark.meets("label-studio-sdk")
def test_label_studio_takes_the_tasks_and_writes_what_is_read(tmp_path):
    """Label Studio's own code accepts tasks and settings that a scan wrote; `apply_verdicts` reads what it converts."""
    interfaces = pytest.importorskip("label_studio_sdk.label_interface", reason="label-studio-sdk is not installed")
    from label_studio_sdk.converter import Converter

    y = np.array([text for text in HOSTILE if text != "\ud800"], dtype=object)
    tool_named("label-studio").write(suspects(np.unique(y), np.arange(len(y)), "pictures"), tmp_path)
    config = (tmp_path / "label-studio.xml").read_text()
    interface = interfaces.LabelInterface(config)
    interface.validate()
    for task in json.loads((tmp_path / "label-studio.json").read_text()):
        assert interface.validate_prediction(task["predictions"][0], return_errors=True) == []
        assert interface.load_task(task["data"]) is not None
    tool_named("label-studio").write(suspects(), tmp_path)
    shutil.copy(EXPORTS / "label-studio.json", tmp_path / "export.json")
    converter = Converter((tmp_path / "label-studio.xml").read_text(), str(tmp_path))
    for form in ("JSON_MIN", "CSV"):
        converter.convert(str(tmp_path / "export.json"), str(tmp_path / form), form, is_dir=False)
        (made,) = (tmp_path / form).iterdir()
        assert apply_verdicts(Y, made).tolist() == BY_MOST
