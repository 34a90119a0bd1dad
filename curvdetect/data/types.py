"""Types that the signatures of all rooms share."""

from __future__ import annotations

from typing import Any, TypeAlias

from numpy.typing import NDArray

#: An array of any dtype: labels, ids, features of any kind.
Array: TypeAlias = NDArray[Any]
#: Names and what stands under them: a line of history, a line of a JSON file.
Record: TypeAlias = dict[str, Any]
