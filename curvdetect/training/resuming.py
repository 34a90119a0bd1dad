"""What a training has to remember after an epoch so that another process can go on as if nothing had happened.

Weights, optimizer, schedules, what callbacks count, the random generators, and what the signals have gathered. Where
this is kept, and in what form, is not decided here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from skorch import NeuralNet
from skorch.callbacks import Callback
from skorch.history import History

from curvdetect.data.isolation import generator_states, set_generators
from curvdetect.signals.signal import Signal, accumulated, take_up
from curvdetect.training.checkpoints import Checkpoints, plainly
from curvdetect.training.ranks import is_first
from curvdetect.training.tracker import Tracker


class Checkpointing(Callback):
    """Keep a checkpoint after each epoch, once every other callback has done its part, and take up the last one.

    Parameters
    ----------
    checkpoints : Checkpoints
        Where they are kept.
    tracker : Tracker
        Who watches.
    callbacks : sequence of (str, Callback)
        The net's other callbacks, which may count something.

    Attributes
    ----------
    state : dict or None
        What another training of the same kind left behind.
    """

    def __init__(self, checkpoints: Checkpoints, tracker: Tracker, callbacks: Sequence[tuple[str, Callback]]) -> None:
        self.checkpoints, self.tracker, self.callbacks = checkpoints, tracker, callbacks
        ranks = tracker.ranks
        self.state = checkpoints.load() if ranks is None else ranks.first(checkpoints.load)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Keep one."""
        self.save(net)

    def save(self, net: NeuralNet, stop_reason: str | None = None) -> None:
        """Keep the state of a training between two epochs, or of one that ended early.

        Parameters
        ----------
        net : skorch.NeuralNet
            What is trained.
        stop_reason : str, optional
            Why it ended.
        """
        tracker = self.tracker
        if self.checkpoints.path is None or not is_first(tracker.ranks):
            return
        self.checkpoints.save(
            {
                "stop_reason": stop_reason,
                "generators": generator_states(tracker.plan.device),
                "parts": {name: plainly(dict(part.state_dict())) for name, part in _parts(net)},
                "callbacks": {name: _counted(callback) for name, callback in self.callbacks},
                # of what each batch cost skorch's callbacks look at the last one
                "net_history": [
                    _what_is_plain({**record, "batches": [_what_is_plain(batch) for batch in record["batches"][-1:]]})
                    for record in net.history
                ],
                "history": plainly(tracker.history),
                "seconds": plainly(tracker.seconds),
                "reached": tracker.reached,
                "signals": [accumulated(signal) for signal in _signals(tracker)],
            }
        )

    def take_up(self, net: NeuralNet) -> str | None:
        """Put the net, its callbacks and the tracker where the other training stood; return why that ended, if it did.

        Parameters
        ----------
        net : skorch.NeuralNet
            Initialized; its callbacks know that a training begins.
        """
        state = self.state
        if state is None:
            return None
        for name, part in _parts(net):
            part.load_state_dict(state["parts"][name])
        for name, callback in self.callbacks:
            for attribute, value in state["callbacks"].get(name, {}).items():
                if "state" in value:
                    getattr(callback, attribute).load_state_dict(value["state"])
                else:
                    setattr(callback, attribute, value["value"])
        net.history_ = History(state["net_history"])
        for signal, gathered in zip(_signals(self.tracker), state["signals"], strict=True):
            take_up(signal, gathered)
        self.tracker.go_on_from(state["history"], state["seconds"], state["reached"])
        return "stop_at" if self.tracker.done else state["stop_reason"]


class RestoreGenerators(Callback):
    """Put the random generators where they stood, once, just before the first epoch that is left to train.

    Parameters
    ----------
    checkpointing : Checkpointing
        Who knows where.
    """

    def __init__(self, checkpointing: Checkpointing) -> None:
        self.checkpointing = checkpointing

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Restore them; later epochs go on from where this one leaves them."""
        state, self.checkpointing.state = self.checkpointing.state, None
        if state is not None:
            set_generators(self.checkpointing.tracker.plan.device, state["generators"])


def _parts(net: NeuralNet) -> Iterator[tuple[str, Any]]:
    """Yield what of a net has a state: modules, criteria, optimizers."""
    for name in (*net._modules, *net._criteria, *net._optimizers):
        part = getattr(net, f"{name}_")
        if hasattr(part, "state_dict"):
            yield name, part


def _counted(callback: Callback) -> dict[str, Any]:
    """Return what a callback has taken note of, as far as it can be written down."""
    state: dict[str, Any] = {}
    for name, value in vars(callback).items():
        if hasattr(value, "load_state_dict") and not isinstance(value, type):
            state[name] = {"state": _what_is_plain(value.state_dict())}
        else:
            with suppress(TypeError):
                state[name] = {"value": plainly(value)}
    return state


def _what_is_plain(state: dict[str, Any]) -> dict[str, Any]:
    """Return those entries of a dictionary that can be written down."""
    kept = {}
    for name, value in state.items():
        with suppress(TypeError):
            kept[name] = plainly(value)
    return kept


def _signals(tracker: Tracker) -> list[Signal]:
    return [signal for signals in tracker.signals.values() for signal in signals]
