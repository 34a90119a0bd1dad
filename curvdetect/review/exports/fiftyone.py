"""FiftyOne: a folder that it imports, with ``mistakenness`` and the suggestion as fields, and its exports back."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from curvdetect.data.types import Record
from curvdetect.review.exports.suspects import GIVEN, INDEX, Suspect, Suspects, picture_in
from curvdetect.review.exports.tool import Said, judged
from curvdetect.review.texts import unprotected
from curvdetect.training.checkpoints import write_whole

NAME = "FiftyOne"
FOLDER = "fiftyone"
SAMPLES, METADATA = f"{FOLDER}/samples.json", f"{FOLDER}/metadata.json"
LEFT: tuple[str, ...] = (SAMPLES, METADATA)
PICTURES_ONLY = True
_VERDICTS = ("right", "wrong", "unsure")


def write(suspects: Suspects, folder: Path) -> None:
    """Write a folder of FiftyOne's self-contained form, ``LegacyFiftyOneDataset``; pictures with a file stay there."""
    there = (suspect for suspect in suspects.each() if suspect.sample or suspects.file_of(suspect))
    samples = [_sample(suspect, _file(suspects, suspect, folder / FOLDER)) for suspect in there]
    write_whole(folder / METADATA, json.dumps({"media_type": "image"}).encode())
    write_whole(folder / SAMPLES, json.dumps({"samples": samples}, ensure_ascii=False, indent=1).encode())


def _file(suspects: Suspects, suspect: Suspect, target: Path) -> str:
    """Return where the picture of a suspect is, seen from the folder; one without a file gets it there."""
    file = suspects.file_of(suspect)
    if file is None:
        kind, content = picture_in(suspect.sample)
        file = target / "data" / f"{suspect.index}.{kind}"
        write_whole(file, content)
    try:
        return Path(os.path.relpath(file.absolute(), target.absolute())).as_posix()
    except ValueError:  # on another drive
        return str(file.absolute())


def _sample(suspect: Suspect, file: str) -> Record:
    return {
        "_media_type": "image",
        "filepath": file,
        "tags": ["suspect"],
        "ground_truth": {"_cls": "Classification", "label": suspect.given},
        "suggested": {"_cls": "Classification", "label": suspect.suggested, "confidence": suspect.score},
        "mistakenness": suspect.score,
        "rank": suspect.rank,
        "path": suspect.path,
        GIVEN: suspect.given,
        INDEX: suspect.index,
    }


def knows(record: Record) -> bool:
    """Say whether a record is a sample of a dataset."""
    return INDEX in record and "filepath" in record


def said(record: Record) -> Iterator[Said]:
    """Yield the verdict of a sample's tag, or else of its label, if that is another one now.

    The tags are ``right``, ``wrong`` and ``unsure``, of the sample or of its label. One that is ``wrong`` gets the
    suggested label, unless it has another one already.
    """
    given, truth = str(record.get(GIVEN)), _label(record, "ground_truth")
    label, tags = truth.get("label"), {*(record.get("tags") or ()), *(truth.get("tags") or ())} & {*_VERDICTS}
    if label != given and tags <= {"wrong"}:
        answer = judged(given, label)
    elif len(tags) == 1:
        suggested = _label(record, "suggested").get("label")
        answer = judged(given, {"right": given, "wrong": suggested, "unsure": None}[tags.pop()])
    elif tags:
        answer = judged(given, None)
    else:
        return
    path, at = str(record.get("path") or ""), f"the sample {Path(str(record['filepath'])).name!r}"
    yield Said(str(record[INDEX]), unprotected(given), *answer, "", path, at)


def _label(record: Record, field: str) -> Record:
    """Return the label that a field holds, empty where there is none."""
    held = record.get(field)
    return held if isinstance(held, dict) else {}
