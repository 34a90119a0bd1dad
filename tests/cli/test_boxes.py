"""Boxes from a scan to corrected files."""

from __future__ import annotations

import json

import pandas as pd

from tests.cli.conftest import read_csv, write_verdicts
from tests.files.boxes import draw_shapes
from tests.files.test_coco import coco, written
from tests.files.test_yolo import YAML, all_bytes, write_yolo

SCAN = ("--detector", "leave-one-out", "--size", 16)


def test_annotations_are_told_by_their_ids_and_corrected(run, tmp_path):
    shapes = draw_shapes(tmp_path / "photos", 8)
    content = coco(shapes, wrong=(4,))
    content["annotations"][0]["id"] = "=1+1"
    content["annotations"][1]["iscrowd"] = 1
    source = written(tmp_path / "=boxes.json", content)
    more = ("--for", "fiftyone", "--also", "parquet")
    result = run("scan", source, "--out", tmp_path / "found", "--root", tmp_path / "photos", *SCAN, *more)
    assert result.exit_code == 0, result.stderr
    rows = read_csv(tmp_path / "found" / "suspects.csv")
    assert rows[0].keys() >= {"index", "path", "annotation_id", "given", "suggested"}
    told = [rows[0][name] for name in ("index", "path", "annotation_id", "given", "suggested")]
    assert told == ["3", "1.png#1004", "1004", "triangle", "square"]
    assert "'=1+1" in {row["annotation_id"] for row in rows}
    assert read_csv(tmp_path / "found" / "skipped.csv") == [{"path": "0.png#1001", "why": "a crowd, not one thing"}]
    assert pd.read_parquet(tmp_path / "found" / "suspects.parquet")["annotation_id"].tolist()[0] == "1004"
    samples = json.loads((tmp_path / "found" / "fiftyone" / "samples.json").read_text())["samples"]
    assert samples[0]["filepath"] == "data/3.webp"  # the box with its surroundings, not the whole picture
    page = tmp_path / "found" / "report.html"
    content_of_page = page.read_text()
    assert content_of_page.count("data:image/") == 2  # as many as are flagged
    page.unlink()
    assert run("report", tmp_path / "found").exit_code == 0
    assert page.read_text() == content_of_page
    verdicts = write_verdicts(tmp_path / "v.csv", [3, "1.png#1004", "triangle", "square", "wrong", "square"])
    new = tmp_path / "new.json"
    result = run("apply", verdicts, "--to", source, "--out", new)
    assert result.stdout == f"{new}: 1 of 23 labels changed\n"
    content["annotations"][4]["category_id"] = 7
    assert new.read_text() == json.dumps(content)
    assert (
        run("apply", write_verdicts(tmp_path / "v.csv"), "--to", source, "--out", tmp_path / "same.json").exit_code == 0
    )
    assert (tmp_path / "same.json").read_bytes() == source.read_bytes()


def test_corrected_lines_go_into_a_new_folder(run, tmp_path):
    source = tmp_path / "shapes"
    write_yolo(source, 4)
    (source / "data.yaml").write_text(YAML)
    before = all_bytes(source)
    verdicts = write_verdicts(tmp_path / "v.csv", [0, "images/val/1.png#2", "square", "circle", "wrong", "circle"])
    call = ("apply", verdicts, "--to", source, "--split", "val", "--out")
    result = run(*call, tmp_path / "new")
    assert result.stdout == f"{tmp_path / 'new'}: 1 of 9 labels changed\n"
    ((name, content),) = all_bytes(tmp_path / "new").items()
    old = before[name].splitlines(keepends=True)
    assert content.splitlines(keepends=True) == [old[0], b"0" + old[1][1:], old[2]]
    for out, said in {
        tmp_path / "new": "is there already. Pass the name of a new folder.",
        source / "labels" / "new": "lies within PATH. Pass another.",
    }.items():
        result = run(*call, out, "--overwrite")
        assert (result.exit_code, said in result.stderr) == (2, True)
    nothing = write_verdicts(tmp_path / "none.csv")
    for path in (source, source / "data.yaml"):
        out = tmp_path / f"new from {path.name}"
        assert run("apply", nothing, "--to", path, "--out", out).exit_code == 0
        assert list(out.iterdir()) == []
    assert all_bytes(source) == before
