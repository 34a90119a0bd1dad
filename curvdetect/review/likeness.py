"""How alike two samples look to somebody who knows neither labels nor network.

Pictures are compared with their mean removed, moved over each other by a little; rows of anything else column by
column. What is kept of a picture is small, so that 50,000 of any size fit in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from curvdetect.data.chunks import in_chunks
from curvdetect.data.sources import Samples

#: Pictures are compared at so many pixels a side at most, moved by up to so many of them, or an eighth of a small side.
SIDE, SHIFT = 32, 2
#: Pixels a side at which look-alikes are searched for, and how many low frequencies of each direction.
COARSE, FREQUENCIES = 8, 6
_CHUNK_BYTES = 2**25


class Likeness:
    """Exact names and approximate looks of samples, from one reading of them.

    Parameters
    ----------
    samples : Samples
        Pictures are those of shape (height, width) or (channels, height, width) of at least 8 pixels a side.

    Attributes
    ----------
    digests : array of shape (n_samples,), bytes
        Equal where the inputs are, as the network receives them.
    views : dict of arrays of shape (n_samples, n_features), float32
        Spaces in which look-alikes lie near each other. Of pictures ``"coarse"``, at 8 by 8 pixels with their mean
        removed, and ``"spectrum"``, the amplitudes of their low frequencies, which stay the same where a picture is
        moved. Of anything else ``"columns"``, in standard deviations.
    """

    def __init__(self, samples: Samples) -> None:
        shape = samples.shape
        self.pictures = len(shape) in (2, 3) and min(shape[-2:]) >= COARSE
        digests: list[bytes] = []
        kept: list[Tensor] = []
        views: dict[str, list[Tensor]] = {"coarse": [], "spectrum": []}
        for x in in_chunks(samples, _CHUNK_BYTES):
            # a zero is a zero, whatever its sign
            digests += [blake2b(row.tobytes(), digest_size=16).digest() for row in (x + 0.0).flatten(1).numpy()]
            kept.append(_small(x) if self.pictures else x.flatten(1))
            if self.pictures:
                views["coarse"].append(_without_mean(F.adaptive_avg_pool2d(kept[-1], COARSE)))
                views["spectrum"].append(_spectrum(kept[-1]))
        self.digests = np.array(digests, dtype="V16")
        self.kept = torch.cat(kept)
        if not self.pictures:
            mean, scale = self.kept.mean(0), self.kept.std(0, correction=0)
            self.kept = (self.kept - mean) / torch.where(scale > 0, scale, 1.0)
            views = {"columns": [self.kept]}
        self.views: dict[str, NDArray[np.float32]] = {name: torch.cat(parts).numpy() for name, parts in views.items()}

    def distances(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return how unlike pairs of samples are: 0 for the same, about 1 for those that have nothing in common.

        It is ``|a - b| / sqrt(|a|**2 + |b|**2)`` of columns in standard deviations, or of pictures with their mean
        removed, where the smallest over all small shifts counts.

        Parameters
        ----------
        first, second : array of shape (n_pairs,)
            Positions of the samples.
        """
        compare, times = (_of_shifted, (2 * SHIFT + 1) ** 2) if self.pictures else (_relative, 1)
        return self._in_chunks(compare, self.kept, first, second, times)

    def distances_at_least(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return, for next to nothing, what `distances` are at least, but for what enters over the edge.

        Amplitudes differ by no more than what they are the amplitudes of.

        Parameters
        ----------
        first, second : array of shape (n_pairs,)
            Positions of the samples.
        """
        if not self.pictures:
            return np.zeros(len(first))
        return self._in_chunks(_relative, torch.from_numpy(self.views["spectrum"]), first, second, 1)

    def _in_chunks(
        self,
        compare: Callable[[Tensor, Tensor], Tensor],
        of: Tensor,
        first: NDArray[np.int64],
        second: NDArray[np.int64],
        times: int,
    ) -> NDArray[np.float64]:
        if len(first) == 0:
            return np.empty(0)
        chunk = max(1, _CHUNK_BYTES // (4 * times * max(1, of[0].numel())))
        pairs = torch.from_numpy(np.stack([first, second]))
        parts = [compare(of[part[0]], of[part[1]]) for part in torch.split(pairs, chunk, dim=1)]
        return torch.cat(parts).double().numpy()


def _small(x: Tensor) -> Tensor:
    """Return pictures with a channel axis, at most `SIDE` pixels a side."""
    x = x if x.ndim == 4 else x[:, None]
    height, width = (min(side, SIDE) for side in x.shape[2:])
    return x if (height, width) == tuple(x.shape[2:]) else F.adaptive_avg_pool2d(x, (height, width))


def _spectrum(x: Tensor) -> Tensor:
    amplitudes = torch.fft.rfft2(x - x.mean((2, 3), keepdim=True), norm="ortho").abs()
    most = min(FREQUENCIES, x.shape[2] // 2)
    low = amplitudes[..., : min(FREQUENCIES, x.shape[3] // 2)]
    return torch.cat([low[:, :, :most], low[:, :, -most:]], 2).flatten(1)


def _of_shifted(a: Tensor, b: Tensor) -> Tensor:
    """Return the smallest distance of the middle of ``a`` from any window of its size in ``b``."""
    n, channels, *sides = b.shape
    down, right = (min(SHIFT, side // 8) for side in sides)
    height, width = sides[0] - 2 * down, sides[1] - 2 * right
    middle = _without_mean(a[:, :, down : down + height, right : right + width])
    windows = b.unfold(2, height, 1).unfold(3, width, 1).permute(0, 2, 3, 1, 4, 5)
    windows = windows.reshape(n, -1, channels * height * width)
    # which shift is best, by the squares; they cancel where pictures are equal, so that one is measured again
    products = (windows @ middle[:, :, None])[:, :, 0]
    total = middle.square().sum(1, keepdim=True) + windows.var(2, correction=0) * windows.shape[2]
    best = torch.where(total > 0, products / total, 1.0).argmax(1)
    return _relative(middle, _without_mean(windows[torch.arange(n), best]))


def _without_mean(x: Tensor) -> Tensor:
    rows = x.flatten(1)
    return rows - rows.mean(1, keepdim=True)


def _relative(a: Tensor, b: Tensor) -> Tensor:
    total = (a.square().sum(1) + b.square().sum(1)).sqrt()
    return torch.where(total > 0, (a - b).square().sum(1).sqrt() / total, 0.0)
