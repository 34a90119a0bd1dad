#!/usr/bin/env bash
# A guess: an export of Label Studio holds the fields of a task as they were imported, beside the answers.
# In JSON-MIN an answer takes the place of a field that has the name of its tag: a task that brings its given "label"
# to a choice named "label" comes back with the new label alone. "id" is overwritten by the number of the task as well.
# In CSV the given label moves to the column _data_label, and "id" is that of the task's own fields.
# Seen with label-studio-sdk 2.1.2, whose converter Label Studio 1.23.2 exports with.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install -q label-studio-sdk==2.1.2

cd "$folder"
bin/python -I - << 'EOF'
import csv
import json
from importlib.metadata import version
from pathlib import Path

from label_studio_sdk.converter import Converter

print("label-studio-sdk", version("label-studio-sdk"))
config = """<View>
  <Text name="text" value="$text"/>
  <Choices name="label" toName="text"><Choice value="cat"/><Choice value="dog"/></Choices>
</View>"""
answer = {"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": ["dog"]}}
task = {
    "id": 1,
    "data": {"text": "Woof", "label": "cat", "id": "a-17"},
    "annotations": [{"id": 1, "completed_by": 1, "result": [answer]}],
}
Path("export.json").write_text(json.dumps([task]))
converter = Converter(config, ".")
found = {}
for form in ("JSON_MIN", "CSV"):
    converter.convert("export.json", form, form, is_dir=False)
    (file,) = Path(form).iterdir()
    with file.open(newline="") as lines:
        (row,) = json.load(lines) if form == "JSON_MIN" else csv.DictReader(lines)
    found[form] = {name: value for name, value in row.items() if name in ("id", "label", "_data_label")}
    print(form, found[form])
assert found["JSON_MIN"] == {"id": 1, "label": "dog"}
assert found["CSV"] == {"id": "a-17", "label": "dog", "_data_label": "cat"}
EOF
