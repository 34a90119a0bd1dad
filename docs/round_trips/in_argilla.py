"""Suspects through Argilla's client, without a server: it reads settings and records, answers are added, and exported.

    pip install ".[test]"
    python docs/round_trips/in_argilla.py WORK

WORK is a new folder. The client is installed into WORK/tool, or taken from the environment that --tool names.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
from pathlib import Path

from round_trip import check, installed, made, run, truth_of

#: What runs in Argilla's environment. Two people answer each record; one answer of each is discarded.
SESSION = """
import json, sys
from unittest.mock import MagicMock
from uuid import UUID

import argilla as rg
from argilla.records._io import GenericIO, JsonIO

rg.Argilla._default_client = MagicMock()  # settings want a client, and ask it nothing
settings = rg.Settings.from_json("found/argilla-settings.json")
(question,), options = settings.questions, json.loads(sys.argv[1])
assert [field.name for field in settings.fields] == ["sample", "curvdetect_given"]
with open("found/argilla.jsonl") as file:
    records = [rg.Record.from_dict(json.loads(line)) for line in file]
for record in records:
    assert 0.9 < record.suggestions["label"].score < 1 and record.suggestions["label"].value in question.labels
    label, status = options[record.metadata["path"]]
    for person in (1, 2):
        record.responses.add(rg.Response("label", label, user_id=UUID(int=person), status=status))
    record._model.status = "completed" if status == "submitted" else "pending"  # as the server says
JsonIO.to_json(records, "nested.json")
with open("flat.json", "w") as file:
    json.dump(GenericIO.to_list(records, flatten=True), file)
print(rg.__version__, len(records), "records")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--tool", type=Path, help="environment with argilla and requests")
    args = parser.parse_args()
    found = made(args.work, "argilla")
    with (found / "suspects.csv").open(newline="") as file:
        suspects = [row for row in csv.DictReader(file) if row["flagged"] == "True"]
    unclear = {row["path"] for row in suspects if row["rank"] == "2"}
    answers = {
        row["path"]: (truth_of(row["path"]), "discarded" if row["path"] in unclear else "submitted") for row in suspects
    }
    # requests, which argilla imports and doesn't require
    python = installed(args.tool or args.work / "tool", "argilla==2.8.0", "requests") / "python"
    for file in ("nested.json", "flat.json"):
        (args.work / file).unlink(missing_ok=True)
    subprocess.run([python.absolute(), "-c", SESSION, json.dumps(answers)], cwd=args.work, check=True)
    for file in ("nested.json", "flat.json"):
        labels = f"labels-{Path(file).stem}.csv"
        run(args.work, "curvdetect", "apply", file, "--to", "photos", "--out", labels, "--only-agreed")
        check(args.work, labels, unclear)


if __name__ == "__main__":
    main()
