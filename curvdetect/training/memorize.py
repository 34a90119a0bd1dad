"""Taking a network to memorization while signals watch.

One function: a copy of the user's net is made and seeded, trained on every sample, and watched. It refuses to hold
out data, to print, and to touch anything that is the caller's.
"""

from __future__ import annotations

import dis
import inspect
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from sklearn.base import clone
from skorch import NeuralNet
from skorch.callbacks import Callback
from skorch.exceptions import SkorchException
from torch import nn

from curvdetect.data.isolation import isolated_rng
from curvdetect.data.loading import IndexedLoader, is_ours
from curvdetect.data.sources import Samples
from curvdetect.signals.signal import Plan, Signal
from curvdetect.training.bounds import AimReached, StartFrom, StopAt
from curvdetect.training.checkpoints import NOWHERE, Checkpoints
from curvdetect.training.copies import copied
from curvdetect.training.device import deterministically
from curvdetect.training.endings import judge
from curvdetect.training.first_pass import first_pass
from curvdetect.training.in_step import EndedElsewhere, InStep, ended, refuse_accelerated
from curvdetect.training.nets import MLP, ResNet, module_for
from curvdetect.training.outputs import is_plain, output_kind, taking_logits
from curvdetect.training.ranks import is_first, ranks_here
from curvdetect.training.recipe import LARGEST_BATCH, MemorizingNet, check_settings, memorizing_net
from curvdetect.training.resuming import Checkpointing, RestoreGenerators
from curvdetect.training.scored_epochs import scored_epochs
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
    net: Any,
    samples: Samples,
    signals: Sequence[Signal],
    *,
    watched: Samples | None = None,
    weights: NeuralNet | None = None,
    max_epochs: int | None = None,
    stop_at: float | None = None,
    patience: int = 1,
    every: int | str = "auto",
    device: torch.device,
    seed: int,
    progress: bool | str = False,
    checkpoints: Checkpoints = NOWHERE,
    keep_snapshots: int = 0,
) -> Run:
    """Train a copy of a net on every sample and show all of them to the signals.

    Parameters
    ----------
    net : None, str, skorch.NeuralNet, nn.Module or nn.Module class
        What is to be trained. None and names are sized from the data.
    samples : Samples
        The data.
    signals : sequence of Signal
        Filled by the run.
    watched : Samples, optional
        What scoring signals are shown after each scored epoch; by default what is trained on.
    weights : skorch.NeuralNet, optional
        A trained net of the same kind, where training starts.
    max_epochs : int, optional
        By default the net's own.
    stop_at : float, optional
        Stop after the first epoch whose training accuracy is at least this.
    patience : int, default=1
        Number of epochs in a row that have to reach ``stop_at``.
    every : int or "auto", default="auto"
        Score every so many epochs, counted back from the last; "auto" scores a quarter of them, most of them early
        (`scored_epochs`).
    device : torch.device
        Where to train.
    seed : int
        Of weights, order and augmentation.
    progress : bool or str, default=False
        Whether to draw a progress bar, and what it calls the training.
    checkpoints : Checkpoints, optional
        Where the training is taken up if it was cut short, and kept after each epoch.
    keep_snapshots : int, default=0
        Number of scored epochs whose weights are kept.

    Returns
    -------
    Run
        With ``interrupt`` set where Ctrl-C, or an error, ended the run after at least one epoch.
    """
    with isolated_rng(device, seed), deterministically(bool(getattr(net, "deterministic", False))):
        given = getattr(net, "module", net)
        net = own_net(net, samples).set_params(device=str(device))
        if max_epochs is not None:
            net.set_params(max_epochs=max_epochs)
        check_settings(net)
        ranks = ranks_here()
        refuse_accelerated(net, ranks)
        loader = net.iterator_train
        ours = is_ours(loader)
        resident = samples.to(device)
        net.initialize()
        if any(isinstance(p, nn.parameter.UninitializedParameter) for p in net.module_.parameters()):
            raise ValueError("net holds lazy layers, whose size is not known yet: give every layer its size.")
        if device.type == "cpu" and isinstance(net.module_, ResNet):
            # of the house's own network it is known that no view depends on it
            net.module_.to(memory_format=torch.channels_last)
        n_epochs, output = net.max_epochs, output_kind(net)
        plan = Plan(len(samples), len(samples.classes), n_epochs, device, exchange=ranks)
        in_step = None if ranks is None else InStep(ranks, plan)
        known = given is None or isinstance(given, str)  # a network of the house's, made anew
        seen = first_pass(net, resident, output, untrained=weights is None and not known)
        for text in seen if is_first(ranks) else ():
            warnings.warn(text, UserWarning, stacklevel=callers_level())
        tracker = Tracker(
            resident,
            signals,
            plan,
            watched=None if watched is None else watched.to(device),
            scored=scored_epochs(n_epochs, every),
            output=output,
            stop_at=stop_at,
            patience=patience,
            progress=progress if is_first(ranks) else False,
            ranks=ranks,
        )
        if tracker.wants_gradient and not is_plain(net) and is_first(ranks):
            warnings.warn(
                "the input gradient is read off the training passes, and this criterion weights or smooths them: its "
                "scores follow the weights. A plain CrossEntropyLoss makes them comparable.",
                UserWarning,
                stacklevel=callers_level(),
            )
        theirs = net.callbacks_
        checkpointing = Checkpointing(checkpoints, tracker, theirs)
        snapshots = KeepSnapshots(snapshot_epochs(tracker.scored, keep_snapshots), checkpoints, ranks)
        start = [] if weights is None else [("start_from", StartFrom(weights))]
        net.callbacks_ = [
            ("generators", RestoreGenerators(checkpointing)),
            *([] if in_step is None else [("in_step", in_step)]),
            # before theirs, so that no callback's stop loses it an epoch
            ("tracker", tracker),
            ("snapshots", snapshots),
            *theirs,
            *start,
            ("checkpointing", checkpointing),
            # its own stop last, so that it loses them none
            ("stop_at", StopAt(tracker)),
        ]
        shared: dict[str, Any] = {} if in_step is None else {"share": in_step.ranks.share, "on_share": in_step.on_share}
        net.iterator_train = partial(IndexedLoader, loader=loader, on_index=tracker.on_index, **shared)
        try:
            with taking_logits(net):
                stop_reason, interrupt = _train(
                    net, (resident if ours else samples).trained, tracker, checkpointing, snapshots
                )
            train_accuracy = tracker.history[-1]["train_accuracy"]
            if interrupt is None:
                try:
                    train_accuracy = tracker.finish(net)
                except (KeyboardInterrupt, Exception) as error:
                    stop_reason, interrupt = "interrupted", error
        finally:
            tracker.bar.close()
            net.callbacks_ = theirs
            net.iterator_train = loader
    if stop_reason != "stop_at" and is_first(ranks):
        planned = interrupt is None and stop_at is None
        judge(tracker.history, train_accuracy, samples, n_epochs, level=callers_level(), planned=planned)
    return Run(net, device, tracker.history, tracker.seconds, train_accuracy, stop_reason, interrupt, snapshots.all())


def callers_level() -> int:
    """Return the ``stacklevel`` of the line of the user's that a warning is about, however deep the call goes here."""
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith("curvdetect."):
        level, frame = level + 1, frame.f_back
    return max(1, level - 1)


def _train(
    net: NeuralNet, samples: Samples, tracker: Tracker, checkpointing: Checkpointing, snapshots: KeepSnapshots
) -> tuple[str, BaseException | None]:
    """Run the training loop, or what is left of it; return why it ended, and the Ctrl-C or the error that ended it."""
    labels = samples.labels.numpy()
    net.notify("on_train_begin", X=samples, y=labels)
    stop_reason, interrupt = checkpointing.take_up(net), None
    snapshots.take_up(len(tracker.history))
    ranks = tracker.ranks
    if stop_reason is not None:
        net.check_data(samples, labels)  # as the loop does first, by which a classifier knows its classes
    try:
        if stop_reason is None:
            stop_reason = "max_epochs"
            net.fit_loop(samples, labels, epochs=net.max_epochs - len(tracker.history))
            ended(ranks, False)
    except AimReached:
        stop_reason = "stop_at"
        ended(ranks, False)
    except EndedElsewhere:
        stop_reason = "early_stopping"
        tracker.score_late(net)
    except (KeyboardInterrupt, Exception) as error:
        if isinstance(error, KeyError | SkorchException) and "valid_" in str(error):
            raise ValueError(
                f"a callback of net asks for what only held-out data has ({error}). Every sample is trained on: let it "
                "monitor train_loss, or leave it out."
            ) from error
        # skorch's callbacks end a training with the very exception that Ctrl-C raises
        if isinstance(error, KeyboardInterrupt) and _raised_by_callback(error):
            stop_reason = "early_stopping"
            ended(ranks, True)
            tracker.score_late(net)
            checkpointing.save(net, stop_reason)
        elif tracker.history:
            stop_reason, interrupt = "interrupted", error
        else:
            raise
    alone = ranks is None or interrupt is None  # after an error here the others may be anywhere
    if alone and snapshots.epochs and not snapshots.kept and tracker.history:
        snapshots.keep(net, len(tracker.history))  # it ended before the first that was to be kept
    net.notify("on_train_end", X=samples, y=labels)
    return stop_reason, interrupt


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


def own_net(net: Any, samples: Samples) -> NeuralNet:
    """Return a fresh skorch net made of whatever ``net`` is; nothing of it is shared with the caller."""
    if net is None or isinstance(net, str):
        net = memorizing_net(net)
    if isinstance(net, NeuralNet):
        own = copied(net, clone)
        if own.module is None or isinstance(own.module, str):
            module = _default(own.module, samples)
            own = type(own)(**{**own.get_params(deep=False), "module": module})
            if isinstance(own, MemorizingNet) and own.for_tables is None:
                own.set_params(for_tables=isinstance(module, MLP))
            if own.batch_size is None:  # little data needs small batches to be stepped on often enough
                own.set_params(batch_size=min(LARGEST_BATCH, max(16, len(samples) // 32)))
        return own.set_params(train_split=None, verbose=0)
    if isinstance(net, type) and issubclass(net, NeuralNet):
        raise TypeError(f"net is the class {net.__name__}. Pass an instance: net={net.__name__}(YourModule, ...).")
    if isinstance(net, type) and issubclass(net, nn.Module):
        try:
            module = net()
        except TypeError as error:
            raise TypeError(
                f"net={net.__name__} can't be made without arguments ({error}). Pass an instance, or "
                f"memorizing_net({net.__name__}(...))."
            ) from error
        return memorizing_net(module)
    if isinstance(net, nn.Module):
        return memorizing_net(copied(net))
    got = type(net).__name__
    if inspect.isfunction(net):
        got = f"the function {net.__name__}: call it, net={net.__name__}(...)"
    raise TypeError(f"net must be None, a name, a skorch NeuralNet, or an nn.Module class or instance, got {got}.")


def _default(name: str | None, samples: Samples) -> nn.Module:
    """Return a fresh network in the precision of the samples, whatever torch's default is."""
    return module_for(name, samples).float()
