"""Where a training starts, and what ends it before its last epoch."""

from __future__ import annotations

from typing import Any

from skorch.callbacks import Callback
from torch import nn

from curvdetect.training.tracker import Tracker
from curvdetect.training.whole import whole_of


class StopAt(Callback):
    """End the training where a tracker saw its aim reached.

    Parameters
    ----------
    tracker : Tracker
        Who watches.
    """

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Raise what the training loop ends with."""
        if self.tracker.done:
            raise AimReached


class StartFrom(Callback):
    """Let the training start from the weights of another net, whatever else sets weights as it begins.

    Parameters
    ----------
    weights : skorch.NeuralNet
        A trained net of the same kind.
    """

    def __init__(self, weights: Any) -> None:
        self.weights = weights

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Load the weights before the first batch."""
        if net.history[-1]["epoch"] == 1:
            whole_of(net).load_state_dict(whole_of(self.weights).state_dict())
            if isinstance(net.criterion_, nn.Module):
                net.criterion_.load_state_dict(self.weights.criterion_.state_dict())


class AimReached(Exception):  # noqa: N818 - it is no error
    """The training accuracy asked for is reached."""
