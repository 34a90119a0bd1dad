"""Short names of data, by which it can be told whether it is still the same."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

import torch
from torch import Tensor

from curvdetect.data.choosing import spread
from curvdetect.data.chunks import in_chunks
from curvdetect.data.isolation import isolated_rng
from curvdetect.data.items import reads_the_same
from curvdetect.data.sources import LazySamples, Samples

_CHUNK_BYTES = 2**26
#: Samples that stand for those of a dataset too large to be read as a whole.
_FEW = 256


def digest_of(samples: Samples) -> dict[str, str]:
    """Return a digest of the inputs as the network receives them, under ``"X"``, and one of the labels, under ``"y"``.

    Parameters
    ----------
    samples : Samples
        All are read once, in chunks. Of a dataset that yields other inputs at each reading only the shape counts, and
        of one too large to be read as a whole some of them.

    Examples
    --------
    >>> import numpy as np
    >>> from curvdetect.data.digest import digest_of
    >>> from curvdetect.data.sources import as_samples
    >>> X, y = np.eye(3), np.array([0, 1, 1])
    >>> digest_of(as_samples(X, y)) == digest_of(as_samples(X.astype("float32"), y))
    True
    """
    inputs, labels = blake2b(digest_size=16), blake2b(digest_size=16)
    inputs.update(repr((len(samples), samples.shape)).encode())
    with isolated_rng(torch.device("cpu")):
        if not isinstance(samples, LazySamples) or reads_the_same(samples.dataset):
            large = isinstance(samples, LazySamples) and samples.unread
            for x in _some(samples) if large else in_chunks(samples, _CHUNK_BYTES):
                inputs.update(x.contiguous().numpy().data)
    labels.update(repr(samples.classes.tolist()).encode())
    labels.update(samples.labels.numpy().data)
    return {"X": inputs.hexdigest(), "y": labels.hexdigest()}


def _some(samples: Samples) -> Iterator[Tensor]:
    yield from (samples.batch(i[None]) for i in spread(len(samples), _FEW))
