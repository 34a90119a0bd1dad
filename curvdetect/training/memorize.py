"""One training: a copy of the user's net is made, trained on every sample until it has memorized them, and watched.

No data is held out, nothing is printed, and nothing of the caller's is changed.
"""

from __future__ import annotations

import dis
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from skorch.exceptions import SkorchException
from torch import nn

from curvdetect.data.batches import IndexedLoader, is_ours
from curvdetect.data.isolation import isolated_rng
from curvdetect.data.samples import Samples
from curvdetect.data.wording import callers_level
from curvdetect.signals.signal import Plan, Signal, wants_gradient
from curvdetect.training.checkpoints import Checkpointing, RestoreGenerators
from curvdetect.training.device import deterministically
from curvdetect.training.doubts import judge
from curvdetect.training.first_pass import first_pass
from curvdetect.training.in_step import EndedElsewhere, InStep, ended, refuse_accelerated
from curvdetect.training.nets import ResNet
from curvdetect.training.own_net import check_settings, is_plain, output_kind, own_net, taking_logits, whole_of
from curvdetect.training.ranks import Ranks, is_first, ranks_here
from curvdetect.training.settings import Settings
from curvdetect.training.snapshots import KeepSnapshots, Snapshot, snapshot_epochs
from curvdetect.training.tracker import Tracker


@dataclass
class Run:
    """What a training run left behind."""

    net: NeuralNet
    device: torch.device
    history: list[dict[str, Any]]
    seconds: dict[str, float]
    train_accuracy: float
    stop_reason: str
    interrupt: BaseException | None = field(default=None, repr=False)
    snapshots: list[Snapshot] = field(default_factory=list, repr=False)


def memorize(
    samples: Samples,
    signals: Sequence[Signal],
    settings: Settings,
    *,
    watched: Samples | None = None,
    weights: NeuralNet | None = None,
) -> Run:
    """Train a copy of a net on every sample and show all of them to the signals.

    Scoring signals are shown ``watched``, by default what is trained on. Training starts from ``weights``, a trained
    net of the same kind, where there is one. ``interrupt`` of the result is set where Ctrl-C, or an error, ended the
    run after at least one epoch.
    """
    device = settings.device
    with isolated_rng(device, settings.seed), deterministically(bool(getattr(settings.net, "deterministic", False))):
        ranks = ranks_here()
        net = _initialized(settings, samples, ranks)
        resident = samples.to(device)
        output = output_kind(net)
        plan = Plan(len(samples), len(samples.classes), net.max_epochs, device, exchange=ranks)
        said = first_pass(net, resident, output, untrained=weights is None and not _is_sized_here(settings.net))
        for text in [*said, *_said_of_criterion(net, signals)] if is_first(ranks) else ():
            warnings.warn(text, UserWarning, stacklevel=callers_level())
        tracker = Tracker(
            resident,
            signals,
            plan,
            settings,
            output=output,
            watched=None if watched is None else watched.to(device),
            ranks=ranks,
        )
        checkpointing = Checkpointing(settings.checkpoints, tracker, net.callbacks_)
        snapshots = KeepSnapshots(snapshot_epochs(tracker.scored, settings.keep_snapshots), settings.checkpoints, ranks)
        read = resident if is_ours(net.iterator_train) else samples
        with _watching(net, tracker, checkpointing, snapshots, weights):
            stop_reason, interrupt = _train(net, read.trained, tracker, checkpointing, snapshots)
            accuracy = tracker.history[-1]["train_accuracy"]
            if interrupt is None:
                try:
                    accuracy = tracker.finish(net)
                except (KeyboardInterrupt, Exception) as error:
                    stop_reason, interrupt = "interrupted", error
    if stop_reason != "stop_at" and is_first(ranks):
        planned = interrupt is None and settings.stop_at is None
        judge(tracker.history, accuracy, samples, plan.n_epochs, planned=planned)
    return Run(net, device, tracker.history, tracker.seconds, accuracy, stop_reason, interrupt, snapshots.all())


def _initialized(settings: Settings, samples: Samples, ranks: Ranks | None) -> NeuralNet:
    """Return the net that is trained, ready for its first batch."""
    net = own_net(settings.net, samples).set_params(device=str(settings.device))
    if settings.max_epochs is not None:
        net.set_params(max_epochs=settings.max_epochs)
    check_settings(net)
    refuse_accelerated(net, ranks)
    net.initialize()
    if any(isinstance(p, nn.parameter.UninitializedParameter) for p in net.module_.parameters()):
        raise ValueError("net holds lazy layers, whose size is not known yet: give every layer its size.")
    if settings.device.type == "cpu" and isinstance(net.module_, ResNet):
        # no view in this network depends on the layout
        net.module_.to(memory_format=torch.channels_last)
    return net


def _is_sized_here(net: NeuralNet) -> bool:
    """Say whether the network is one of the package's own, made anew."""
    module = getattr(net, "module", net)
    return module is None or isinstance(module, str)


def _said_of_criterion(net: NeuralNet, signals: Sequence[Signal]) -> list[str]:
    """Return the warning that the criterion changes what is read off the gradients, where it does."""
    if is_plain(net) or not any(wants_gradient(signal) for signal in signals):
        return []
    return [
        "the input gradient is read off the training passes, and this criterion weights or smooths them: its scores "
        "follow the weights. A plain CrossEntropyLoss makes them comparable."
    ]


@contextmanager
def _watching(
    net: NeuralNet, tracker: Tracker, checkpointing: Checkpointing, snapshots: KeepSnapshots, weights: NeuralNet | None
) -> Iterator[None]:
    """Add what watches a training to the callbacks and the loader of a net, and take it away after."""
    theirs, loader = net.callbacks_, net.iterator_train
    in_step = None if tracker.ranks is None else InStep(tracker.ranks, tracker.plan)
    net.callbacks_ = [
        ("generators", RestoreGenerators(checkpointing)),
        *([] if in_step is None else [("in_step", in_step)]),
        # before theirs, so that no callback's stop loses it an epoch
        ("tracker", tracker),
        ("snapshots", snapshots),
        *theirs,
        *([] if weights is None else [("start_from", StartFrom(weights))]),
        ("checkpointing", checkpointing),
        # its own stop last, so that it loses them none
        ("stop_at", StopAt(tracker)),
    ]
    shared: dict[str, Any] = {} if in_step is None else {"share": in_step.ranks.share, "on_share": in_step.on_share}
    net.iterator_train = partial(IndexedLoader, loader=loader, on_index=tracker.on_index, **shared)
    try:
        with taking_logits(net):
            yield
    finally:
        tracker.bar.close()
        net.callbacks_ = theirs
        net.iterator_train = loader


def _train(
    net: NeuralNet, samples: Samples, tracker: Tracker, checkpointing: Checkpointing, snapshots: KeepSnapshots
) -> tuple[str, BaseException | None]:
    """Run what is left of a training; return why it ended, and the Ctrl-C or the error that ended it."""
    labels = samples.labels.numpy()
    net.notify("on_train_begin", X=samples, y=labels)
    stop_reason, interrupt = checkpointing.take_up(net), None
    snapshots.take_up(len(tracker.history))
    if stop_reason is None:
        stop_reason, interrupt = _loop(net, samples, tracker, checkpointing)
    else:
        net.check_data(samples, labels)  # as the loop does first, by which a classifier knows its classes
    alone = tracker.ranks is None or interrupt is None  # after an error here the others may be anywhere
    if alone and snapshots.epochs and not snapshots.kept and tracker.history:
        snapshots.keep(net, len(tracker.history))  # it ended before the first that was to be kept
    net.notify("on_train_end", X=samples, y=labels)
    return stop_reason, interrupt


def _loop(
    net: NeuralNet, samples: Samples, tracker: Tracker, checkpointing: Checkpointing
) -> tuple[str, BaseException | None]:
    """Run skorch's training loop for the epochs that are left, and tell the ways apart in which it ends."""
    try:
        net.fit_loop(samples, samples.labels.numpy(), epochs=net.max_epochs - len(tracker.history))
        ended(tracker.ranks, False)
    except AimReached:
        ended(tracker.ranks, False)
        return "stop_at", None
    except EndedElsewhere:
        tracker.score_late(net)
        return "early_stopping", None
    except (KeyboardInterrupt, Exception) as error:
        if isinstance(error, KeyError | SkorchException) and "valid_" in str(error):
            raise ValueError(
                f"a callback of net asks for what only held-out data has ({error}). Every sample is trained on: let it "
                "monitor train_loss, or leave it out."
            ) from error
        # skorch's callbacks end a training with the very exception that Ctrl-C raises
        if isinstance(error, KeyboardInterrupt) and _raised_by_callback(error):
            ended(tracker.ranks, True)
            tracker.score_late(net)
            checkpointing.save(net, "early_stopping")
            return "early_stopping", None
        if not tracker.history:
            raise
        return "interrupted", error
    return "max_epochs", None


def _raised_by_callback(error: BaseException) -> bool:
    """Say whether a callback raised ``error`` itself at the end of an epoch, rather than being interrupted there."""
    within, end = False, error.__traceback__
    while end is not None:
        code, at = end.tb_frame.f_code, end.tb_lasti
        owner = end.tb_frame.f_locals.get("self") if code.co_name == "on_epoch_end" else None
        within |= isinstance(owner, Callback) and not isinstance(owner, Tracker)
        end = end.tb_next
    # a signal arrives at any instruction; only a `raise` of its own is this one
    return within and dis.opname[code.co_code[at]] == "RAISE_VARARGS"


class StopAt(Callback):
    """End the training where a tracker saw its aim reached."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Raise what the training loop ends with."""
        if self.tracker.done:
            raise AimReached


class StartFrom(Callback):
    """Let the training start from the weights of another net, whatever else sets weights as it begins."""

    def __init__(self, weights: NeuralNet) -> None:
        self.weights = weights

    def on_epoch_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Load the weights before the first batch."""
        if net.history[-1]["epoch"] == 1:
            whole_of(net).load_state_dict(whole_of(self.weights).state_dict())
            if isinstance(net.criterion_, nn.Module):
                net.criterion_.load_state_dict(self.weights.criterion_.state_dict())


class AimReached(Exception):  # noqa: N818 - it is no error
    """The training accuracy asked for is reached."""
