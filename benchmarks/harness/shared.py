"""What a callback of a training leaves to whoever started it."""

from __future__ import annotations

from typing import Any


class Shared(dict[str, Any]):
    """A dictionary that the copy of a callback, which a detector trains with, goes on writing to."""

    def __deepcopy__(self, memo: Any) -> Shared:
        return self
