"""What a trained network makes of a sample before it decides, and who lies near whom there.

Two pictures that a person takes for the same one lie close together there, whatever their labels. No n by n matrix is
ever made, and nothing is trained.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.neighbors import NearestNeighbors
from skorch import NeuralNet
from torch import Tensor, nn

from curvdetect.data.isolation import isolated_rng
from curvdetect.data.sources import Samples
from curvdetect.signals.passes import rows_within
from curvdetect.signals.scoring import measuring


def features_of(net: NeuralNet, samples: Samples) -> NDArray[np.float32]:
    """Return what goes into the last linear layer of a trained net, for each sample.

    Parameters
    ----------
    net : skorch.NeuralNet
        Trained; a detector's ``net_``. Read in evaluation mode on its own device, and left as it was.
    samples : Samples
        Of the shape that it was trained on.

    Returns
    -------
    array of shape (n_samples, n_features), float32
        Flattened where the layer takes more than one axis of a sample.

    Raises
    ------
    ValueError
        Where the net passes through no linear layer, or through one that mixes samples.

    Notes
    -----
    One forward pass, in batches that keep within the memory of a scoring pass.
    """
    device = torch.device(net.device)
    module, seen = net.module_, list[Tensor]()

    def look(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        # the last that is passed through, which need not be the last that was made
        seen[:] = [args[0] if args else kwargs["input"]]

    hooks = [
        layer.register_forward_pre_hook(look, with_kwargs=True)
        for layer in module.modules()
        if isinstance(layer, nn.Linear)
    ]
    found: NDArray[np.float32] | None = None
    try:
        # a compiled module would not stop at a hook
        with isolated_rng(device), measuring(module), torch.compiler.set_stance("force_eager"):
            few = samples.batch(torch.arange(min(2, len(samples)))).to(device)
            rows = rows_within(net.infer, few)
            with torch.no_grad():
                for index in torch.split(torch.arange(len(samples)), rows):
                    seen.clear()
                    net.infer(samples.batch(index))
                    values = _checked(seen, len(index)).flatten(1).float().cpu().numpy()
                    if found is None:
                        found = np.empty((len(samples), values.shape[1]), dtype=np.float32)
                    found[index.numpy()] = values
    finally:
        for hook in hooks:
            hook.remove()
    return np.empty((0, 0), dtype=np.float32) if found is None else found


def _checked(seen: list[Tensor], n_rows: int) -> Tensor:
    if not seen:
        raise ValueError(
            "net passes through no torch.nn.Linear, so it has no features before its last one. Put its head into a "
            "Linear layer (a 1x1 convolution over one pixel is the same), or do without features."
        )
    if seen[0].ndim < 2 or len(seen[0]) != n_rows:
        raise ValueError(
            f"net hands its last Linear layer a tensor of shape {tuple(seen[0].shape)} for {n_rows} samples. Features "
            "need (n_samples, ...): one row for each sample."
        )
    return seen[0]


def nearest(
    points: NDArray[np.floating[Any]], queries: ArrayLike, k: int, *, among: ArrayLike | None = None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the nearest points of some of the points, never the point itself.

    Parameters
    ----------
    points : array of shape (n_points, n_features)
        All of them.
    queries : array-like of shape (n_queries,), int
        Whose neighbours are looked for.
    k : int
        How many of each; fewer where there are no more.
    among : array-like of int or of bool, optional
        Indices, or a mask, of those that can be a neighbour; by default all.

    Returns
    -------
    distances : array of shape (n_queries, k)
        Euclidean, ascending.
    index : array of shape (n_queries, k)
        Positions in ``points``.

    Notes
    -----
    Time grows with ``n_queries * n_among * n_features``, memory with the points and the result alone.
    """
    asked = np.asarray(queries, dtype=np.int64)
    pool = np.arange(len(points)) if among is None else np.asarray(among)
    pool = np.flatnonzero(pool) if pool.dtype == bool else pool.astype(np.int64)
    itself = np.isin(asked, pool)
    k = min(k, len(pool) - int(itself.any()))
    if k < 1 or len(asked) == 0:
        return np.empty((len(asked), max(k, 0))), np.empty((len(asked), max(k, 0)), dtype=np.int64)
    # one more than wanted, since a point that is among the pool is found too
    search = NearestNeighbors(n_neighbors=k + int(itself.any()), algorithm="brute").fit(points[pool])
    distances, places = search.kneighbors(points[asked])
    index = pool[places]
    if itself.any():
        own = index == asked[:, None]
        # copies of a point can take its place among the nearest: then the farthest goes
        own[~own.any(axis=1), -1] = True
        distances, index = (part[~own].reshape(len(asked), k) for part in (distances, index))
    return distances.astype(np.float64), index.astype(np.int64)
