"""Label Studio: tasks with the suggestion as a prediction, and its exports back: JSON, JSON-MIN and CSV."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import quoteattr

from curvdetect.data.types import Record
from curvdetect.review.exports.suspects import AGENT, GIVEN, INDEX, SUGGESTED, Suspects
from curvdetect.review.exports.tool import Said, judged
from curvdetect.review.texts import unprotected
from curvdetect.training.checkpoints import write_whole

NAME = "Label Studio"
TASKS, CONFIG = "label-studio.json", "label-studio.xml"
LEFT: tuple[str, ...] = (TASKS, CONFIG)
PICTURES_ONLY = False
#: The name of the choice in the configuration and in exports.
_CHOICE = "label"
#: Most classes that stand side by side; more are in a list that opens.
_BESIDE = 30
#: ``$name`` within a choice is replaced by what a task holds under this name, and a list is JSON in a CSV file.
_MEANT = "${["


def write(suspects: Suspects, folder: Path) -> None:
    """Write the tasks to import, and the labelling configuration to paste into a project's settings."""
    write_whole(folder / CONFIG, _config(suspects).encode())
    tasks = b",\n".join(json.dumps(task, ensure_ascii=False).encode() for task in _tasks(suspects))
    write_whole(folder / TASKS, b"[\n", tasks, b"\n]\n")


def _config(suspects: Suspects) -> str:
    """Return what a person sees of a task, and chooses from."""
    shown = (
        '<Image name="sample" value="$sample" maxWidth="480px"/>'
        if suspects.are_pictures
        else '<Text name="sample" value="$sample" valueType="text"/>'
    )
    labels = suspects.labels(_MEANT)
    layout = "inline" if len(labels) <= _BESIDE else "select"
    choices = [f"    <Choice value={quoteattr(label)}/>" for label in labels]
    return "\n".join(
        [
            "<View>",
            f'  <Header value="The given label is: ${GIVEN}"/>',
            f'  <Choices name="{_CHOICE}" toName="sample" choice="single-radio" layout="{layout}">',
            *choices,
            "  </Choices>",
            f"  {shown}",
            "</View>\n",
        ]
    )


def _tasks(suspects: Suspects) -> Iterator[Record]:
    for suspect in suspects.each(_MEANT):
        value = {"choices": [suspect.suggested]}
        yield {
            "data": {
                "sample": suspect.sample,
                GIVEN: suspect.given,
                SUGGESTED: suspect.suggested,
                "rank": suspect.rank,
                "path": suspect.path,
                INDEX: suspect.index,
            },
            "predictions": [
                {
                    "model_version": AGENT,
                    "score": suspect.score,
                    "result": [{"from_name": _CHOICE, "to_name": "sample", "type": "choices", "value": value}],
                }
            ],
        }


def knows(record: Record) -> bool:
    """Say whether a record is a task, or a line of JSON-MIN or CSV."""
    data = record.get("data")
    return (isinstance(data, dict) and INDEX in data) or (INDEX in record and "annotation_id" in record)


def said(record: Record) -> Iterator[Said]:
    """Yield the answer of each annotation; that of a task that was skipped is unsure."""
    data = record.get("data")
    if not isinstance(data, dict):  # a line for each annotation, with the answer beside the data
        annotations, data = [record] if record["annotation_id"] not in (None, "") else [], record
    else:
        annotations = [one for one in record.get("annotations") or () if isinstance(one, dict)]
    given, path, at = str(data.get(GIVEN)), str(data.get("path") or ""), f"task {record.get('id')}"
    for one in annotations:
        who = one.get("annotator", one.get("completed_by"))
        who = (who.get("email") or who.get("id")) if isinstance(who, dict) else who
        chosen = _of_cell(one.get(_CHOICE)) if one is record else _of_results(one)
        answer = judged(given, None if one.get("was_cancelled") else chosen)
        yield Said(str(data[INDEX]), unprotected(given), *answer, str(who), path, at, str(one.get("updated_at")))


def _of_results(annotation: Record) -> list[object]:
    """Return what was chosen in an annotation."""
    results = [part for part in annotation.get("result") or () if part.get("from_name") == _CHOICE]
    return [choice for part in results for choice in (part.get("value") or {}).get("choices") or ()]


def _of_cell(chosen: object) -> object:
    """Return what was chosen, from a cell: a label as it is, several as JSON."""
    if isinstance(chosen, str) and chosen.startswith(("{", "[")):
        try:
            chosen = json.loads(chosen)
        except ValueError:
            return None
    return chosen.get("choices") if isinstance(chosen, dict) else chosen
