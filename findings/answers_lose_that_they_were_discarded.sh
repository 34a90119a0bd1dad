#!/usr/bin/env bash
# A guess: what Argilla's client exports of a record says which answers were submitted.
# to_json, to_dict and to_disk keep the value and the person of an answer and leave its status out. An answer that was
# discarded, or is a draft, then looks like any other. to_list(flatten=True), and with it to_datasets, keep the status.
# A second surprise on the way: argilla imports requests and doesn't require it, so that a fresh install can't be
# imported.
# Seen with argilla 2.8.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install -q argilla==2.8.0

cd "$folder"
if bin/python -I -c "import argilla" 2> said; then
  echo "argilla can be imported as it is installed" && exit 1
fi
tail -1 said
grep -q "No module named 'requests'" said
bin/pip install -q requests
bin/python -I - << 'EOF'
import json
from uuid import UUID

import argilla as rg
from argilla.records._io import GenericIO, JsonIO

print("argilla", rg.__version__)
answers = [
    rg.Response("label", "cat", user_id=UUID(int=1), status="submitted"),
    rg.Response("label", "dog", user_id=UUID(int=2), status="discarded"),
]
record = rg.Record(id="1", fields={"text": "Meow"}, responses=answers)
JsonIO.to_json([record], "records.json")  # what dataset.records.to_json and dataset.to_disk call
with open("records.json") as file:
    (nested,) = json.load(file)
(flat,) = GenericIO.to_list([record], flatten=True)
print("to_json:", nested["responses"])
print("to_list(flatten=True):", flat["label.responses"], flat["label.responses.status"])
assert [sorted(answer) for answer in nested["responses"]["label"]] == [["user_id", "value"]] * 2
assert flat["label.responses.status"] == ["submitted", "discarded"]
EOF
