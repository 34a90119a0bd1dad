"""One training: a copy of the user's net is made, trained on every sample until it has memorized them, and watched.

No data is held out, nothing is printed, and nothing of the caller's is changed.
"""

from __future__ import annotations

import dis
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, PrintLog
from skorch.exceptions import SkorchException
from torch import nn

from curvdetect.data.batches import BatchLoader, IndexedLoader, is_ours
from curvdetect.data.isolation import isolated_rng
from curvdetect.data.samples import Samples
from curvdetect.data.types import Record
from curvdetect.data.wording import warn
from curvdetect.signals.signal import Plan, Signal, wants_gradient
from curvdetect.training.checkpoints import Checkpointing, KeepSnapshots, Snapshot
from curvdetect.training.doubts import changed_gradient, judge
from curvdetect.training.finetuning import FineTuned
from curvdetect.training.first_pass import first_pass
from curvdetect.training.in_step import EndedElsewhere, InStep, refuse_accelerated
from curvdetect.training.nets import ResNet
from curvdetect.training.own_net import check_settings, output_kind, own_net, taking_logits, whole_of
from curvdetect.training.ranks import ranks_here
from curvdetect.training.settings import Settings, deterministically, snapshot_epochs
from curvdetect.training.tracker import Tracker


@dataclass
class Run:
    """What a training run left behind."""

    net: NeuralNet
    device: torch.device
    history: list[Record]
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
    """Train a copy of a net, from ``weights`` if given, and show the samples, or those ``watched``, to the signals."""
    device = settings.device
    with isolated_rng(device, settings.seed), deterministically(bool(getattr(settings.net, "deterministic", False))):
        ranks = ranks_here()
        net = own_net(settings.net, samples).set_params(device=str(device))
        if settings.max_epochs is not None:
            net.set_params(max_epochs=settings.max_epochs)
        check_settings(net)
        refuse_accelerated(net, ranks)
        net.initialize()
        if any(isinstance(p, nn.parameter.UninitializedParameter) for p in net.module_.parameters()):
            raise ValueError("net holds lazy layers, whose size is not known yet: give every layer its size.")
        if device.type == "cpu" and isinstance(net.module_, ResNet):
            # no view in this network depends on the layout
            net.module_.to(memory_format=torch.channels_last)
        elif device.type == "cpu" and isinstance(net.module_, FineTuned):
            net.module_.lay_out(samples.shape)
        resident = samples.to(device)
        read = (resident if is_ours(net.iterator_train) else samples).trained
        output = output_kind(net)
        exchange = ranks if ranks.size > 1 else None
        plan = Plan(len(samples), len(samples.classes), net.max_epochs, device, exchange=exchange)
        # a network of the package's own is made anew, as is the last layer of one that is fine-tuned
        fine_tuned = net.module is FineTuned
        made_here = fine_tuned or isinstance(getattr(settings.net, "module", settings.net), str | None)
        said = first_pass(net, resident, output, untrained=weights is None and not made_here)
        if any(wants_gradient(signal) for signal in signals) and (text := changed_gradient(net)):
            said.append(text)
        for text in said if ranks.rank == 0 else ():
            warn(text)
        tracker = Tracker(
            resident,
            signals,
            plan,
            settings,
            output=output,
            watched=None if watched is None else watched.to(device),
            ranks=ranks,
            # whose batches hold a sample once an epoch, in one shape
            at_once=net.iterator_train is BatchLoader and not read.inputs.lazy,
            default=getattr(settings.net, "module", settings.net) is None,
        )
        checkpointing = Checkpointing(settings.checkpoints, tracker, net.callbacks_)
        to_keep = snapshot_epochs(tracker.scored, settings.keep_snapshots)
        snapshots = KeepSnapshots(to_keep, settings.checkpoints, ranks, tracker.as_scored)
        with _watching(net, tracker, checkpointing, snapshots, weights):
            stop_reason, interrupt = _train(net, read, tracker, checkpointing, snapshots)
            accuracy = tracker.history[-1]["train_accuracy"]
            if interrupt is None:
                try:
                    accuracy = tracker.finish(net)
                except (KeyboardInterrupt, Exception) as error:
                    stop_reason, interrupt = "interrupted", error
    if stop_reason != "stop_at" and ranks.rank == 0:
        planned = interrupt is None and settings.stop_at is None and settings.memorizes
        judge(tracker.history, accuracy, samples, plan.n_epochs, planned=planned, memorizes=not fine_tuned)
    kept = [snapshots.kept[epoch] for epoch in sorted(snapshots.kept)]
    return Run(net, device, tracker.history, tracker.seconds, accuracy, stop_reason, interrupt, kept)


@contextmanager
def _watching(
    net: NeuralNet, tracker: Tracker, checkpointing: Checkpointing, snapshots: KeepSnapshots, weights: NeuralNet | None
) -> Iterator[None]:
    """Add what watches a training to the callbacks and the loader of a net, and take it away after."""
    theirs, loader, ranks = net.callbacks_, net.iterator_train, tracker.ranks
    read = partial(IndexedLoader, loader=loader, on_index=tracker.on_index)
    together: list[tuple[str, Callback]] = []
    if ranks.size > 1:
        in_step = InStep(ranks, tracker.plan)
        read = partial(read, share=ranks.share, on_share=in_step.on_share)
        together = [("in_step", in_step)]
    net.callbacks_ = [
        *together,
        # before theirs, so that no callback's stop loses it an epoch
        ("tracker", tracker),
        ("snapshots", snapshots),
        # with nothing to print, its table would still be laid out after each epoch
        *(named for named in theirs if not (type(named[1]) is PrintLog and named[1].sink is print)),
        ("checkpointing", checkpointing),
        # its own stop last, so that it loses them none
        ("start_and_stop", StartAndStop(tracker, weights)),
    ]
    net.iterator_train = read
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
    snapshots.take_up(epoch for epoch in snapshots.epochs if epoch <= len(tracker.history))
    if stop_reason is None:
        stop_reason, interrupt = _loop(net, samples, tracker, checkpointing)
    else:
        net.check_data(samples, labels)  # as the loop does first, by which a classifier knows its classes
    alone = tracker.ranks.size == 1 or interrupt is None  # after an error here the others may be anywhere
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
        tracker.ranks.any(False)  # the others learn, once after the last epoch, that none ended early
    except AimReached:
        tracker.ranks.any(False)
        return "stop_at", None
    except EndedElsewhere:
        tracker.score_late(net)
        return "early_stopping", None
    except (KeyboardInterrupt, Exception) as error:
        if isinstance(error, KeyError | SkorchException) and "valid_" in str(error):
            raise ValueError(
                f"a callback of net asks for what only held-out data has ({error}). Every sample is trained on: let it "
                "monitor train_loss and keep no best model (save_model=False of a WandbLogger), or leave it out."
            ) from error
        # skorch's callbacks end a training with the very exception that Ctrl-C raises
        if isinstance(error, KeyboardInterrupt) and _raised_by_callback(error):
            tracker.ranks.any(True)
            tracker.score_late(net)
            checkpointing.save(net, "early_stopping")
            return "early_stopping", None
        if not tracker.history:
            raise
        if tracker.ranks.size == 1 and not isinstance(error, FloatingPointError):
            with suppress(Exception, KeyboardInterrupt):  # they would hide why the training ended
                tracker.score_late(net)
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


class StartAndStop(Callback):
    """Start from weights of another net, whatever else sets weights as a training begins, and end it at its aim."""

    def __init__(self, tracker: Tracker, weights: NeuralNet | None) -> None:
        self.tracker, self.weights = tracker, weights

    def on_epoch_begin(self, net: NeuralNet, **kwargs: object) -> None:
        """Load the weights before the first batch."""
        if self.weights is not None and net.history[-1]["epoch"] == 1:
            whole_of(net).load_state_dict(whole_of(self.weights).state_dict())
            if isinstance(net.criterion_, nn.Module):
                net.criterion_.load_state_dict(self.weights.criterion_.state_dict())

    def on_epoch_end(self, net: NeuralNet, **kwargs: object) -> None:
        """Raise what the training loop ends with, where the aim is reached."""
        if self.tracker.done:
            raise AimReached


class AimReached(Exception):  # noqa: N818 - it is no error
    """The training accuracy asked for is reached."""
