"""Archives of samples: where the entries of each lie, and a copy in which some have another content.

Nothing is extracted: entries are read from their places, and links are not followed.
"""

from __future__ import annotations

import re
import shutil
import tarfile
from pathlib import Path
from typing import BinaryIO, NamedTuple

from curvdetect.training.checkpoints import whole_file

_BLOCK, _PIECE = 512, 2**20
#: What the name of an entry is made of, as webdataset reads it: the key of its sample, and what the entry is.
_NAME = re.compile(r"((?:.*/)?[^.]+)\.([^/]*)", re.DOTALL)
_OF_WEBDATASET = re.compile(r"__[^/]*__(?:$|/)")


class Entry(NamedTuple):
    """Where the content of an entry lies in its archive."""

    start: int
    size: int

    def read(self, path: Path) -> bytes:
        """Return the content."""
        with path.open("rb") as file:
            file.seek(self.start)
            return file.read(self.size)


class Sample(NamedTuple):
    """Entries that follow each other and have one key."""

    key: str
    entries: dict[str, Entry]


def samples_in(path: Path) -> tuple[list[Sample], dict[str, str]]:
    """Return the samples of an archive, and names of what can't be read, with the reason.

    One pass over the headers finds them. The name of what is torn off is empty.
    """
    found: list[Sample] = []
    others: dict[str, str] = {}
    size = path.stat().st_size
    try:
        with tarfile.open(path, "r:") as archive:
            while (info := archive.next()) is not None:
                archive.members = []  # type: ignore[attr-defined]  # which would be kept, all of them
                name = _NAME.fullmatch(info.name)
                if info.isdir() or _OF_WEBDATASET.match(info.name):
                    continue
                if not info.isreg():
                    others[info.name] = "no file, but a link or the like"
                elif name is None:
                    others[info.name] = "no entry of a sample by its name, KEY.KIND"
                elif info.issparse() or "size" in info.pax_headers:
                    others[info.name] = "stored in a way that is not read"
                elif info.offset_data + info.size > size:
                    others[info.name] = "cut off by the end of the file"
                else:
                    key, kind = name[1], name[2].lower()
                    if not found or found[-1].key != key:
                        found.append(Sample(key, {}))
                    if kind in found[-1].entries:
                        others[info.name] = "the second entry of this name"
                    else:
                        found[-1].entries[kind] = Entry(info.offset_data, info.size)
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        others[""] = f"{type(error).__name__}: {error}; what lies behind is not read"
    return found, others


def rewrite_tar(path: Path, target: Path, contents: dict[Entry, bytes]) -> None:
    """Write a copy in which some entries have another content; all other bytes but the size of these stay."""
    with path.open("rb") as old, whole_file(target) as new:
        for entry, content in sorted(contents.items()):
            _copy(old, new, entry.start - _BLOCK - old.tell())
            new.write(_of_size(old.read(_BLOCK), len(content)))
            new.write(content + bytes(-len(content) % _BLOCK))
            old.seek(entry.start + entry.size + -entry.size % _BLOCK)
        shutil.copyfileobj(old, new)


def _copy(old: BinaryIO, new: BinaryIO, n_bytes: int) -> None:
    for done in range(0, n_bytes, _PIECE):
        new.write(old.read(min(_PIECE, n_bytes - done)))


def _of_size(header: bytes, size: int) -> bytes:
    """Return the header of an entry with another size, and the checksum that belongs to it."""
    if int(header[124:136].strip(b" \0"), 8) == size:
        return header
    header = header[:124] + b"%011o" % size + header[135:]
    total = sum(header[:148]) + 8 * ord(" ") + sum(header[156:])
    return header[:148] + b"%06o" % total + header[154:]
