"""Which samples are near each other, in the features of a trained net and in their own pixels or columns.

Copies of one picture are near each other in both, whatever their labels. No n by n matrix is ever made, and nothing is
trained.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.neighbors import NearestNeighbors
from skorch import NeuralNet
from torch import Tensor, nn
from torch.nn import functional as F

from curvdetect.data.isolation import isolated_rng
from curvdetect.data.samples import Samples
from curvdetect.data.shapes import are_series
from curvdetect.data.types import Array, Record
from curvdetect.signals.passes import measuring, rows_within

#: Most pixels a side at which pictures are compared, and most pixels they are moved by, or an eighth of a small side.
SIDE, SHIFT = 32, 2
#: Pixels a side at which near copies are searched for, and how many low frequencies of each direction.
COARSE, FREQUENCIES = 8, 6
_CHUNK_BYTES = 2**25


def features_of(net: NeuralNet, samples: Samples, shape: tuple[int, ...] | None = None) -> NDArray[np.float32]:
    """Return the inputs of the last linear layer of a trained net, shape (n_samples, n_features).

    Samples are given another ``shape`` where the net takes one. They are read in evaluation mode, in batches that keep
    within the memory of a scoring pass; the net is left as it was. A net without such a layer, or one that mixes
    samples in it, is refused with ValueError.
    """
    device = torch.device(net.device)
    module, seen, shape = net.module_, list[Tensor](), shape or samples.shape

    def look(layer: nn.Module, args: tuple[Tensor, ...], kwargs: Record) -> None:
        # the last that is passed through, which need not be the last that was made
        seen[:] = [args[0] if args else kwargs["input"]]

    linear = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
    hooks = [layer.register_forward_pre_hook(look, with_kwargs=True) for layer in linear]
    found = np.empty((0, 0), dtype=np.float32)
    try:
        # a compiled module would not stop at a hook
        with isolated_rng(device), measuring(module), torch.compiler.set_stance("force_eager"), torch.no_grad():
            few = samples.batch(torch.arange(min(2, len(samples)))).reshape(-1, *shape)
            rows = rows_within(net.infer, few.to(device))
            for index in torch.split(torch.arange(len(samples)), rows):
                seen.clear()
                net.infer(samples.batch(index).reshape(-1, *shape))
                if not seen:
                    raise ValueError(
                        "net passes through no torch.nn.Linear, so it has no features before its last one. Put its "
                        "head into a Linear layer (a 1x1 convolution over one pixel is the same), or do without "
                        "features."
                    )
                if seen[0].ndim < 2 or len(seen[0]) != len(index):
                    raise ValueError(
                        f"net hands its last Linear layer a tensor of shape {tuple(seen[0].shape)} for {len(index)} "
                        "samples. Features need (n_samples, ...): one row for each sample."
                    )
                values = seen[0].flatten(1).float().cpu().numpy()
                found = found if len(found) else np.empty((len(samples), values.shape[1]), dtype=np.float32)
                found[index.numpy()] = values
    finally:
        for hook in hooks:
            hook.remove()
    return found


def nearest(points: Array, queries: ArrayLike, k: int, *, among: ArrayLike) -> NDArray[np.int64]:
    """Return the positions of the ``k`` nearest points, or fewer, of each query, by Euclidean distance.

    Queries are positions, and ``among`` is a mask of the points that can be a neighbour; a point is not its own. Memory
    grows with the points and the result alone.
    """
    asked, pool = np.asarray(queries, dtype=np.int64), np.flatnonzero(among)
    itself = bool(np.isin(asked, pool).any())
    k = max(0, min(k, len(pool) - itself))
    if k == 0 or len(asked) == 0:
        return np.empty((len(asked), k), dtype=np.int64)
    # one more than wanted, since a point that is among the pool is found too
    search = NearestNeighbors(n_neighbors=k + itself, algorithm="brute").fit(points[pool])
    index = pool[search.kneighbors(points[asked], return_distance=False)]
    if itself:
        own = index == asked[:, None]
        # copies of a point can take its place among the nearest: then the farthest goes
        own[~own.any(axis=1), -1] = True
        index = index[~own].reshape(len(asked), k)
    return index


class Fingerprints:
    """Digests and small views of samples, by which copies are found without labels and net.

    Pictures, of at least 8 pixels a side, are compared with their mean removed, moved over each other by a little;
    other samples, series too, by column, in standard deviations. Little of a picture is kept: 50,000 of any size fit in
    memory. ``digests`` are equal where the network receives the same input. Near copies lie near each other in each of
    ``views``: ``"coarse"``, 8 by 8 pixels, and ``"spectrum"``, amplitudes of low frequencies, which stay the same where
    a picture is moved, or ``"columns"``.
    """

    def __init__(self, samples: Samples) -> None:
        shape = samples.shape
        self.pictures = len(shape) in (2, 3) and min(shape[-2:]) >= COARSE and not are_series(samples.inputs)
        digests: list[bytes] = []
        kept: list[Tensor] = []
        views: dict[str, list[Tensor]] = {"coarse": [], "spectrum": []}
        for x in samples.in_chunks(_CHUNK_BYTES):
            # a zero is a zero, whatever its sign
            digests += [blake2b(row.tobytes(), digest_size=16).digest() for row in (x + 0.0).flatten(1).numpy()]
            if self.pictures:
                height, width = (min(side, SIDE) for side in shape[-2:])
                small = F.adaptive_avg_pool2d(x if x.ndim == 4 else x[:, None], (height, width))
                views["coarse"].append(_without_mean(F.adaptive_avg_pool2d(small, COARSE)))
                views["spectrum"].append(_spectrum(small))
            kept.append(small if self.pictures else x.flatten(1))
        self.digests = np.array(digests, dtype="V16")
        self.kept = torch.cat(kept)
        if not self.pictures:
            scale, mean = torch.std_mean(self.kept, 0, correction=0)
            self.kept = (self.kept - mean) / torch.where(scale > 0, scale, 1.0)
            views = {"columns": [self.kept]}
        self.views: dict[str, NDArray[np.float32]] = {name: torch.cat(parts).numpy() for name, parts in views.items()}

    def distances(self, pairs: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return ``|a - b| / sqrt(|a|**2 + |b|**2)`` of pairs: 0 for the same, about 1 where nothing is in common.

        The distance of pictures is the smallest over all small shifts.
        """
        compare, times = (_of_shifted, (2 * SHIFT + 1) ** 2) if self.pictures else (_relative, 1)
        return _in_chunks(compare, self.kept, pairs, times)

    def distances_at_least(self, pairs: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return a cheap lower bound of `distances`, save for what enters a picture over its edge.

        Amplitudes differ by no more than the pictures do.
        """
        if not self.pictures:
            return np.zeros(len(pairs))
        return _in_chunks(_relative, torch.from_numpy(self.views["spectrum"]), pairs)


def _in_chunks(
    compare: Callable[[Tensor, Tensor], Tensor], of: Tensor, pairs: NDArray[np.int64], times: int = 1
) -> NDArray[np.float64]:
    """Compare pairs of rows, as many at once as fit where comparing takes ``times`` the memory of a row."""
    chunk = max(1, _CHUNK_BYTES // (4 * times * max(1, of[0].numel())))
    parts = [
        compare(of[i], of[j]) for i, j in (part.T for part in torch.split(torch.from_numpy(pairs), chunk)) if len(i)
    ]
    return torch.cat([torch.empty(0), *parts]).double().numpy()


def _spectrum(x: Tensor) -> Tensor:
    """Return the amplitudes of the low frequencies of pictures without their mean."""
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
