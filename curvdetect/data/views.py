"""One dataset in two views: as it is scored, and as it is trained on.

Scores want every sample as it is, training may want it cropped, turned or recoloured. A random transform inside a
dataset can't be switched off from outside, so whoever wants one passes the dataset twice.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.utils.data import Dataset, Subset


class TwoViews(Dataset[Any]):
    """A dataset that is scored as one dataset yields its samples, and trained on as another does.

    Parameters
    ----------
    scored : map-style dataset
        Yields every sample, with its label, the same way each time: pictures resized and cropped to their centre.
    trained : map-style dataset of the same length
        The same samples in the same order, of the same shape, by any transform: cropped and flipped at random. Its
        labels are not looked at.

    See Also
    --------
    memorizing_net : Its ``augment=True`` does the same for pictures in memory, by shifts and flips.

    Notes
    -----
    By index it is ``scored``, so that whatever looks at pictures shows them as they are. Datasets that don't fit in
    memory are read again in each epoch: ``memorizing_net(..., iterator_train=DataLoader, iterator_train__shuffle=True,
    iterator_train__num_workers=8, iterator_valid__num_workers=8)`` reads with eight processes while it trains, and with
    eight before and while it scores. What a ``checkpoint_dir`` knows of the data is the scored view.

    Examples
    --------
    >>> import torch
    >>> from torch.utils.data import TensorDataset
    >>> from curvdetect import LossDetector, TwoViews
    >>> X, y = torch.randn(40, 3), torch.arange(40) % 2
    >>> data = TwoViews(TensorDataset(X, y), TensorDataset(X + 0.1 * torch.randn(40, 3), y))
    >>> LossDetector(max_epochs=2, stop_at=0.1, device="cpu", random_state=0).fit(data).scores_.shape
    (40,)
    """

    def __init__(self, scored: Any, trained: Any) -> None:
        if len(scored) != len(trained):
            raise ValueError(
                f"scored has {len(scored)} samples and trained {len(trained)}: both need the same ones, in one order."
            )
        self.scored = scored
        self.trained = trained

    def __len__(self) -> int:
        return len(self.scored)

    def __getitem__(self, index: int) -> Any:
        return self.scored[index]


def training_view(dataset: Any) -> Any:
    """Return the dataset whose items are trained on, or None where it is the one that is scored.

    Parameters
    ----------
    dataset : map-style dataset
        `TwoViews`, a ``Subset`` of one, or any other.
    """
    if isinstance(dataset, TwoViews):
        return dataset.trained
    if isinstance(dataset, Subset):
        whole = training_view(dataset.dataset)
        return None if whole is None else Subset(whole, dataset.indices)
    return None


def part_of(view: Any, index: Tensor) -> Any:
    """Return some items of a dataset as one, or None where there is none."""
    return None if view is None else Subset(view, index.tolist())
