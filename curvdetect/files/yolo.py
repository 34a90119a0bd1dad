"""A YOLO folder: pictures in ``images``, and for each a file in ``labels`` with a line for each box."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from curvdetect.data.types import Array
from curvdetect.files.boxes import Boxes, BoxesFile, distinct
from curvdetect.files.pictures import as_text
from curvdetect.files.yolo_layout import Layout, is_yolo, label_file
from curvdetect.files.yolo_lines import Line, lines_of, relabelled
from curvdetect.training.checkpoints import write_whole


class _Content(NamedTuple):
    boxes: Boxes
    images: list[Path]
    #: From the label of a class to its number.
    numbers: dict[object, int]
    #: Where the line of each box is.
    lines: list[tuple[Path, int]]


class YoloFolder(BoxesFile):
    """A YOLO folder, each of whose boxes is a sample; corrected labels go into a folder of their own."""

    kind = "a YOLO folder"
    takes = frozenset({"root", "split"})
    copies = ()
    relative = True

    @classmethod
    def fits(cls, path: Path) -> bool:
        """Say whether a path is of this format."""
        return is_yolo(path)

    @property
    def boxes(self) -> Boxes:
        """The lines of all files of labels, in order."""
        return self._content.boxes

    @property
    def images(self) -> list[Path]:
        """The pictures with labels."""
        return self._content.images

    def write(self, target: Path, labels: Array) -> None:
        """Write a folder of the files of labels that change; every byte but the numbers of classes stays as it was."""
        changed: dict[Path, dict[int, int]] = defaultdict(dict)
        for i in np.flatnonzero(labels != self.labels).tolist():
            path, line = self._content.lines[i]
            changed[path][line] = self._content.numbers[labels[i].item()]
        target.mkdir(parents=True)
        top = os.path.commonpath([self._layout.root, *changed])
        for path, lines in changed.items():
            place = target / os.path.relpath(path, top)
            write_whole(place, relabelled(path.read_bytes(), lines))

    @cached_property
    def _layout(self) -> Layout:
        return Layout(self.path, self.asked.root)

    @cached_property
    def _content(self) -> _Content:
        layout, split = self._layout, self.asked.split
        names = None if layout.names is None else distinct(layout.names)
        skipped: dict[str, str] = {}
        images: list[Path] = []
        of_picture: dict[Path, Path] = {}
        found: list[tuple[str, Line, int, Path]] = []
        for picture in layout.pictures(split):
            of_picture[path := label_file(picture)] = picture
            if not path.is_file():
                continue  # a picture without a box
            for line in lines_of(path.read_bytes(), layout.keypoints):
                name = as_text(f"{layout.called(picture)}#{line.number}")
                if line.wrong is not None:
                    skipped[name] = line.wrong
                elif names is not None and line.label not in names:
                    skipped[name] = f"class {line.label} has no name"
                else:
                    found.append((name, line, len(images), path))
            images.append(picture)
        for path in layout.orphans(split, of_picture):
            skipped[as_text(layout.called(path))] = "there is no picture of this name"
        called: Mapping[int, int | str] = names or {line.label: line.label for _, line, _, _ in found}
        labels = [called[line.label] for _, line, _, _ in found]
        boxes = Boxes(
            np.array(labels, dtype=np.int64 if names is None else str),
            [name for name, _, _, _ in found],
            np.array([image for _, _, image, _ in found], dtype=np.int64),
            np.array([line.corners for _, line, _, _ in found], dtype=float).reshape(-1, 4),
            {"line": [line.number for _, line, _, _ in found]},
            {**skipped, **layout.missing},
        )
        return _Content(
            boxes,
            images,
            {label: number for number, label in called.items()},
            [(path, line.number) for _, line, _, path in found],
        )
