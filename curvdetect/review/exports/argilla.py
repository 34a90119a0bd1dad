"""Argilla: records with the suggestion and its score, the settings of a dataset for them, and its exports back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from curvdetect.data.types import Record
from curvdetect.review.exports.suspects import AGENT, GIVEN, INDEX, Suspect, Suspects
from curvdetect.review.exports.tool import Said, judged
from curvdetect.review.texts import unprotected
from curvdetect.training.checkpoints import write_whole

NAME = "Argilla"
RECORDS, SETTINGS = "argilla.jsonl", "argilla-settings.json"
LEFT: tuple[str, ...] = (RECORDS, SETTINGS)
PICTURES_ONLY = False
#: The name of the question.
_QUESTION = "label"


def write(suspects: Suspects, folder: Path) -> None:
    """Write a record a line, for ``rg.Record.from_dict``, and what ``rg.Settings.from_json`` reads."""
    write_whole(folder / SETTINGS, json.dumps(_settings(suspects), indent=1).encode())
    lines = (json.dumps(_record(suspect), ensure_ascii=False) for suspect in suspects.each())
    write_whole(folder / RECORDS, *(f"{line}\n".encode() for line in lines))


def _settings(suspects: Suspects) -> Record:
    kind = {"type": "image"} if suspects.are_pictures else {"type": "text", "use_markdown": False}
    options = [{"value": label, "text": label} for label in suspects.labels()]
    return {
        "guidelines": "The given label may be wrong. Choose the right one, or discard the record where you can't tell.",
        "fields": [
            {"name": "sample", "title": "Sample", "required": True, "settings": kind},
            {
                "name": GIVEN,
                "title": "Given label",
                "required": True,
                "settings": {"type": "text", "use_markdown": False},
            },
        ],
        "questions": [
            {
                "name": _QUESTION,
                "title": "Label",
                "required": True,
                "settings": {"type": "label_selection", "options": options, "visible_options": None},
            }
        ],
        "metadata": [
            {"name": name, "title": name, "settings": {"type": "integer"}, "visible_for_annotators": True}
            for name in (INDEX, "rank")
        ],
        "vectors": [],
        "allow_extra_metadata": True,
        "distribution": {"strategy": "overlap", "min_submitted": 1},
    }


def _record(suspect: Suspect) -> Record:
    return {
        "id": str(suspect.index),
        "fields": {"sample": suspect.sample, GIVEN: suspect.given},
        "metadata": {INDEX: suspect.index, "rank": suspect.rank} | ({"path": suspect.path} if suspect.path else {}),
        "suggestions": {_QUESTION: {"value": suspect.suggested, "score": suspect.score, "agent": AGENT}},
    }


def knows(record: Record) -> bool:
    """Say whether a record is one as `to_json` writes it, or a flat one of ``to_list(flatten=True)``."""
    metadata = record.get("metadata")
    return (isinstance(metadata, dict) and INDEX in metadata) or (
        INDEX in record and f"{_QUESTION}.suggestion" in record
    )


def said(record: Record) -> Iterator[Said]:
    """Yield the answer of each person who submitted or discarded a record; a draft is none.

    Records that are not flat have lost which answers were discarded: none counts before the record is complete.
    """
    flat = INDEX in record
    data = record if flat else {**(record.get("fields") or {}), **record["metadata"]}
    if flat:
        columns = (record.get(f"{_QUESTION}.responses{part}") or () for part in ("", ".users", ".status"))
        answers = list(zip(*columns, strict=False))
    else:
        status = "submitted" if record.get("status") == "completed" else "discarded"
        found = (record.get("responses") or {}).get(_QUESTION) or ()
        answers = [(one.get("value"), one.get("user_id"), status) for one in found]
    for value, who, status in answers:
        if status in ("submitted", "discarded"):
            given = str(data.get(GIVEN))
            answer = judged(given, value if status == "submitted" else None)
            path, at = str(data.get("path") or ""), f"the record {record.get('id')!r}"
            yield Said(str(data[INDEX]), unprotected(given), *answer, str(who), path, at)
