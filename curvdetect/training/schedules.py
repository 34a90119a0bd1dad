"""Learning-rate schedules: functions of the number of epochs, and the callback that lays them out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from numbers import Integral, Real

from skorch import NeuralNet
from skorch.callbacks import Callback
from torch.optim.lr_scheduler import LambdaLR


def one_cycle(n_epochs: int, peak: float = 0.3, start: float | None = None) -> Callable[[int], float]:
    """Return a schedule that rises over the first ``peak`` of the epochs and falls linearly to the end.

    Parameters
    ----------
    n_epochs : int
        Length of the training.
    peak : float, default=0.3
        Share of the epochs at which the learning rate is highest.
    start : float, optional
        Factor from which it rises, each epoch by the same ratio; by default it rises linearly from zero.

    Returns
    -------
    callable
        From an epoch, counted from 0, to a factor of the learning rate.

    Examples
    --------
    >>> from curvdetect import one_cycle
    >>> schedule = one_cycle(10)
    >>> [round(schedule(epoch), 2) for epoch in range(10)]
    [0.33, 0.67, 1.0, 0.88, 0.75, 0.62, 0.5, 0.38, 0.25, 0.12]
    """
    _check_length(n_epochs)
    if not (isinstance(peak, Real) and 0 <= peak <= 1):
        raise ValueError(f"peak must be a share of the epochs in [0, 1], got {peak!r}.")
    if start is not None and not (isinstance(start, Real) and 0 < start <= 1):
        raise ValueError(f"start must be None or a factor of the learning rate in (0, 1], got {start!r}.")
    return partial(_one_cycle_factor, n_epochs, max(1, round(peak * n_epochs)), start)


def _check_length(n_epochs: object) -> None:
    if isinstance(n_epochs, bool) or not isinstance(n_epochs, Integral) or n_epochs < 1:
        raise ValueError(f"n_epochs must be a whole number, at least 1, got {n_epochs!r}.")


def _one_cycle_factor(n_epochs: int, top: int, start: float | None, epoch: int) -> float:
    rise = (epoch + 1) / top
    return min(rise if start is None else start ** max(0.0, 1 - rise), (n_epochs - epoch) / max(1, n_epochs - top + 1))


def step_decay(n_epochs: int, milestones: Sequence[float] = (0.5, 5 / 6), gamma: float = 0.1) -> Callable[[int], float]:
    """Return a schedule multiplied by ``gamma`` after each share of the epochs; by default the paper's for CIFAR.

    Parameters
    ----------
    n_epochs : int
        Length of the training.
    milestones : sequence of float, default=(1/2, 5/6)
        Shares of the epochs; (0.4, 0.8) is the paper's for MNIST.
    gamma : float, default=0.1
        What each of them multiplies by.

    Returns
    -------
    callable
        From an epoch, counted from 0, to a factor of the learning rate.

    Examples
    --------
    >>> from curvdetect import step_decay
    >>> [round(step_decay(300)(epoch), 3) for epoch in (149, 150, 250)]
    [1.0, 0.1, 0.01]
    """
    _check_length(n_epochs)
    if isinstance(milestones, str) or not all(isinstance(share, Real) and 0 <= share <= 1 for share in milestones):
        raise ValueError(f"milestones must be shares of the epochs in [0, 1], got {milestones!r}.")
    if not (isinstance(gamma, Real) and 0 <= gamma < float("inf")):
        raise ValueError(f"gamma must be a number that the learning rate is multiplied by, got {gamma!r}.")
    return partial(_step_factor, [round(share * n_epochs) for share in milestones], gamma)


def _step_factor(milestones: Sequence[int], gamma: float, epoch: int) -> float:
    return gamma ** sum(epoch >= milestone for milestone in milestones)


#: Of the recipe for tables: what is simple is learned in small steps, and what is left is memorized in large ones.
SLOW_RISE = partial(one_cycle, peak=0.6, start=0.1)


class Schedule(Callback):
    """A learning-rate schedule over the net's own ``max_epochs``; by default `one_cycle`, slower for tables."""

    def __init__(self, factor: Callable[[int], Callable[[int], float]] | None = None) -> None:
        self.factor = factor

    def on_train_begin(self, net: NeuralNet, **kwargs: object) -> None:
        """Lay the schedule out, now that the number of epochs is known."""
        default = SLOW_RISE if getattr(net, "for_tables", False) else one_cycle
        self.policy_ = LambdaLR(net.optimizer_, (self.factor or default)(net.max_epochs))

    def on_epoch_end(self, net: NeuralNet, **kwargs: object) -> None:
        """Go on to the next epoch's learning rate."""
        self.policy_.step()

    def on_train_end(self, net: NeuralNet, **kwargs: object) -> None:
        """Let go of the optimizer, whose state would be kept and pickled with the net."""
        del self.policy_
