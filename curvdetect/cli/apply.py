"""``curvdetect apply``: verdicts of people become cleaned labels."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from curvdetect.cli.console import Failure, tell
from curvdetect.cli.options import READING, chosen
from curvdetect.data.wording import listed, safe, short
from curvdetect.files.copies import copy_file
from curvdetect.files.labelled import ROW, Asked, LabelledFile, row_name
from curvdetect.files.registry import opened
from curvdetect.review.verdicts import cleaned_by, columns_of


def apply(
    verdicts: tuple[Path, ...],
    source: Path,
    out: Path,
    only_agreed: bool,
    overwrite: bool,
    quiet: bool,
    **options: object,
) -> None:
    """Write the labels of data with the verdicts of people."""
    file = opened(source, Asked(**chosen(READING, options)))
    _check_target(file, out, overwrite)
    labels, places = file.labels, _places(file, verdicts)
    given = labels[places]
    found, agreement = cleaned_by(given, list(verdicts), only_agreed=only_agreed)
    cleaned = np.asarray(found)
    labels = labels.astype(np.result_type(labels, cleaned))
    changed = cleaned != given
    labels[places[changed]] = cleaned[changed]
    if not changed.any() and file.holder.is_file() and file.copies:
        copy_file(file.holder, out)
    else:
        file.write(out, labels)
    if agreement.people > 1:
        tell(agreement.told())
    tell(f"{safe(out)}: {int(changed.sum())} of {len(given)} labels changed")


def _check_target(file: LabelledFile, out: Path, overwrite: bool) -> None:
    if not file.copies:
        if out.resolve().is_relative_to(file.path.resolve()):
            why = "lies within PATH. Pass another."
        elif out.exists():
            why = "is there already. Pass the name of a new folder."
        else:
            return
    elif out.is_dir():
        why = "is a folder. Pass the name of a file."
    elif out.exists() and out.samefile(file.path):
        why = "is PATH itself. Pass another."
    elif out.exists() and out.samefile(file.holder):
        why = "is the file of --labels. Pass another."
    elif out.exists() and not overwrite:
        why = "is there already. Pass another, or --overwrite."
    elif not out.name.lower().endswith(file.copies):
        why = f"must end in {' or '.join(file.copies)}."
    else:
        return
    raise click.BadParameter(f"'{short(out)}' {why}", param_hint="--out")


def _places(file: LabelledFile, verdicts: tuple[Path, ...]) -> NDArray[np.int64]:
    """Return the places in the file of the samples that were scanned: a sample with a name is where its name is."""
    rows = file.chosen()
    places = np.arange(len(file.labels)) if rows is None else rows
    called: dict[int, set[str]] = {}
    for columns in (columns_of(one)[0] for one in verdicts):
        indices = columns.get("index", [])
        for index, path in zip(indices, columns.get("path", [""] * len(indices)), strict=True):
            if str(index).isdigit() and int(str(index)) < len(places):  # else `apply_verdicts` says what is wrong
                called.setdefault(int(str(index)), set()).add(str(path or ""))
    if file.names is not None and any("" in of for of in called.values()):
        raise Failure(
            "the verdicts name no pictures, and an index alone fits another picture where some were skipped. Keep the "
            "column path as the page, or suspects.csv, has it."
        )
    paths = set().union(*called.values()) - {""}
    if not paths:
        return places
    names = file.names
    if names is None:
        if not all(map(ROW.fullmatch, paths)):
            raise Failure(
                "the verdicts name pictures, and PATH is a table of other columns here. Pass what was scanned, with "
                "its pictures where they were, and --pictures and --root as they were."
            )
        names = [row_name(place) for place in range(len(file.labels))]
    named: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        named.setdefault(name, []).append(place)
    for i, of in called.items():
        if of <= {"", names[places[i]]}:
            continue
        if len(of) > 1:
            raise Failure(
                f"verdicts on sample {i} are about {listed(sorted(of))}: they are of different scans. Apply those of "
                "each scan by themselves."
            )
        (path,) = of
        found = named.get(path, [])
        if len(found) != 1:
            raise Failure(
                f"the verdict on '{short(path)}' is about sample {i} of a scan, which is another one now. Pass "
                "what was scanned, unchanged, and --limit as it was; or scan again."
            )
        places[i] = found[0]  # what was skipped, or not read, before it moved it
    return places
