"""What a scan writes beside its own results: the ranking as Parquet, and the suspects for other tools."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from curvdetect.review.exports import TOOLS
from curvdetect.review.exports.tool import tool_named
from tests.cli.conftest import read_csv
from tests.written import write_pictures

EVERY = [word for name in TOOLS for word in ("--for", name)]
QUICK = ("--detector", "leave-one-out", "--q", 3)


def test_pictures_are_written_for_every_tool_and_come_back(run, page, tmp_path):
    pytest.importorskip("pyarrow")
    root, out = tmp_path / "photos", tmp_path / "found"
    write_pictures(root)
    result = run("scan", root, "--out", out, "--size", 8, *QUICK, *EVERY, "--also", "parquet")
    assert result.exit_code == 0, result.stderr
    rows = read_csv(out / "suspects.csv")
    table = pd.read_parquet(out / "suspects.parquet")
    assert table[["index", "path", "given", "suggested", "rank"]].astype(str).to_dict("records") == [
        {name: row[name] for name in ("index", "path", "given", "suggested", "rank")} for row in rows
    ]
    assert table["score"].tolist() == [float(row["score"]) for row in rows]
    tasks = json.loads((out / "label-studio.json").read_text())
    assert [task["data"]["path"] for task in tasks] == [row["path"] for row in rows[:3]]
    assert all(task["data"]["sample"].startswith("data:image/") for task in tasks)
    samples = json.loads((out / "fiftyone" / "samples.json").read_text())["samples"]
    assert [(out / "fiftyone" / sample["filepath"]).resolve() for sample in samples] == [
        (root / row["path"]).resolve() for row in rows[:3]
    ]
    assert len((out / "argilla.jsonl").read_text().splitlines()) == 3
    for name in TOOLS:
        tool = tool_named(name)
        assert f"{out / tool.LEFT[0]}: the suspects, for {tool.NAME}\n" in result.stdout

    samples[1]["tags"] = ["wrong"]
    (out / "fiftyone" / "samples.json").write_text(json.dumps({"samples": samples}))
    applied = run("apply", out / "fiftyone", "--to", root, "--out", tmp_path / "labels.csv")
    assert applied.stdout == f"{tmp_path / 'labels.csv'}: 1 of 16 labels changed\n"
    changed = {row["path"]: row["label"] for row in read_csv(tmp_path / "labels.csv")}[rows[1]["path"]]
    assert changed == rows[1]["suggested"]

    assert run("scan", root, "--out", out, "--size", 8, *QUICK, "--overwrite").exit_code == 0
    assert not any((out / file).exists() for name in TOOLS for file in tool_named(name).LEFT)
    assert not (out / "suspects.parquet").exists()


def test_rows_of_a_table_are_text_and_refused_for_a_tool_of_pictures(run, page, table, tmp_path):
    out = tmp_path / "found"
    refused = run("scan", table, "--out", out, *QUICK, *EVERY)
    assert refused.exit_code == 2
    assert "--for fiftyone takes pictures, and PATH holds none. Choose another tool." in refused.stderr
    assert not out.exists()
    assert run("scan", table, "--out", out, *QUICK, "--for", "label-studio", "--for", "argilla").exit_code == 0
    (task, *_) = json.loads((out / "label-studio.json").read_text())
    header = table.read_text().splitlines()[0].split(",")
    assert [line.split(":")[0] for line in task["data"]["sample"].splitlines()] == [
        name for name in header if name != "label"
    ]


def test_pictures_of_a_table_stay_where_they_are_and_those_of_an_array_are_written(run, page, tmp_path):
    root = tmp_path / "photos"
    write_pictures(root)
    files = sorted(path.relative_to(tmp_path).as_posix() for path in root.rglob("*.png"))
    table = tmp_path / "pets.csv"
    table.write_text("file,label\n" + "".join(f"{file},{file.split('/')[1]}\n" for file in files))
    np.savez(tmp_path / "arrays.npz", X=np.random.default_rng(0).random((16, 3, 8, 8)), y=np.arange(16) % 2)
    for source, folder in ((table, "photos"), (tmp_path / "arrays.npz", "fiftyone/data")):
        out = tmp_path / source.stem
        result = run("scan", source, "--out", out, "--size", 8, *QUICK, "--for", "fiftyone")
        assert result.exit_code == 0, result.stderr
        samples = json.loads((out / "fiftyone" / "samples.json").read_text())["samples"]
        shown = [(out / "fiftyone" / sample["filepath"]).resolve() for sample in samples]
        assert all(file.is_file() and folder in file.as_posix() for file in shown)
