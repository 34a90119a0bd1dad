"""Files that may be gzipped, by their name."""

from __future__ import annotations

import gzip
from pathlib import Path

from curvdetect.training.checkpoints import write_whole


def content_of(path: Path) -> bytes:
    """Return the content of a file, unzipped."""
    content = path.read_bytes()
    return gzip.decompress(content) if _is_gzipped(path) else content


def write_content(target: Path, *parts: bytes) -> None:
    """Write a file, gzipped where its name says so."""
    parts = (gzip.compress(b"".join(parts), mtime=0),) if _is_gzipped(target) else parts
    write_whole(target, *parts)


def _is_gzipped(path: Path) -> bool:
    return path.suffix.lower() == ".gz"
