"""Taking a network to memorization while signals watch.

One function: a copy of the user's net is made and seeded, trained on every sample, and watched. It refuses to hold
out data, to print, and to touch anything that is the caller's.
"""

from __future__ import annotations

import copy
import dis
import inspect
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from skorch import NeuralNet, NeuralNetClassifier
from skorch.callbacks import Callback
from torch import nn

from curvdetect.data.isolation import isolated_rng
from curvdetect.data.loading import BatchLoader, IndexedLoader
from curvdetect.data.sources import Samples
from curvdetect.signals.scoring import OutputKind, logits_of, measuring
from curvdetect.signals.signal import Plan, Signal
from curvdetect.training.nets import ResNet, module_for
from curvdetect.training.recipe import check_settings, memorizing_net
from curvdetect.training.scored_epochs import scored_epochs
from curvdetect.training.tracker import AimReached, StartFrom, StopAt, Tracker

#: Training accuracy below which memorization is called not reached.
MEMORIZED = 0.99


@dataclass
class Run:
    """What a training run left behind."""

    net: NeuralNet
    device: torch.device
    history: list[dict[str, Any]]
    seconds: dict[str, float]
    train_accuracy: float
    stop_reason: str
    interrupt: KeyboardInterrupt | None = field(default=None, repr=False)


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

    Returns
    -------
    Run
        With ``interrupt`` set where Ctrl-C ended the run after at least one epoch.
    """
    with isolated_rng(device, seed):
        net = _own_net(net, samples).set_params(device=str(device))
        if max_epochs is not None:
            net.set_params(max_epochs=max_epochs)
        check_settings(net)
        loader = net.iterator_train
        ours = isinstance(loader, type) and issubclass(loader, BatchLoader)
        resident = samples.to(device)
        net.initialize()
        if any(isinstance(p, nn.parameter.UninitializedParameter) for p in net.module_.parameters()):
            raise ValueError("net holds lazy layers, whose size is not known yet: give every layer its size.")
        if device.type == "cpu" and isinstance(net.module_, ResNet):
            # of the house's own network it is known that no view depends on it
            net.module_.to(memory_format=torch.channels_last)
        n_epochs, output = net.max_epochs, output_kind(net)
        plan = Plan(len(samples), len(samples.classes), n_epochs, device)
        _check_output(net, resident, output)
        tracker = Tracker(
            resident,
            signals,
            plan,
            watched=None if watched is None else watched.to(device),
            scored=scored_epochs(n_epochs, every),
            output=output,
            stop_at=stop_at,
            patience=patience,
            progress=progress,
        )
        if tracker.wants_gradient and not _is_plain(net.criterion_):
            warnings.warn(
                "the input gradient is read off the training passes, and this criterion weights or smooths them: its "
                "scores follow the weights. A plain CrossEntropyLoss makes them comparable.",
                UserWarning,
                stacklevel=_callers_level(),
            )
        # first, so that no callback's stop loses it an epoch; its own stop last, so that it loses them none
        theirs = net.callbacks_
        start = [] if weights is None else [("start_from", StartFrom(weights))]
        net.callbacks_ = [("tracker", tracker), *theirs, *start, ("stop_at", StopAt(tracker))]
        net.iterator_train = partial(IndexedLoader, loader=loader, on_index=tracker.on_index)
        try:
            stop_reason, interrupt = _train(net, resident if ours else samples, tracker)
            train_accuracy = tracker.history[-1]["train_accuracy"]
            if interrupt is None:
                try:
                    train_accuracy = tracker.finish(net)
                except KeyboardInterrupt as error:
                    stop_reason, interrupt = "interrupted", error
        finally:
            tracker.bar.close()
            net.callbacks_ = theirs
            net.iterator_train = loader
    if train_accuracy < MEMORIZED and interrupt is None and stop_at is None:
        warnings.warn(
            f"the net did not memorize the labels: training accuracy {train_accuracy:.4f} after "
            f"{len(tracker.history)} epochs, below {MEMORIZED}. Scores are most telling when wrong labels have been "
            "learned too: raise max_epochs, lower the weight decay, or take a larger net.",
            ConvergenceWarning,
            stacklevel=_callers_level(),
        )
    return Run(net, device, tracker.history, tracker.seconds, train_accuracy, stop_reason, interrupt)


def _callers_level() -> int:
    """Return the ``stacklevel`` of the line of the user's that a warning is about, however deep the call goes here."""
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith("curvdetect."):
        level, frame = level + 1, frame.f_back
    return max(1, level - 1)


def _train(net: NeuralNet, samples: Samples, tracker: Tracker) -> tuple[str, KeyboardInterrupt | None]:
    """Run the training loop; return why it ended, and the Ctrl-C that ended it."""
    labels = samples.labels.numpy()
    net.notify("on_train_begin", X=samples, y=labels)
    stop_reason, interrupt = "max_epochs", None
    try:
        net.fit_loop(samples, labels, epochs=net.max_epochs)
    except AimReached:
        stop_reason = "stop_at"
    except KeyError as error:
        if "valid_" not in str(error):
            raise
        raise ValueError(
            f"a callback of net asks for what only held-out data has ({error}). Every sample is trained on: let it "
            "monitor train_loss, or leave it out."
        ) from error
    except KeyboardInterrupt as error:
        # skorch's callbacks end a training with the very exception that Ctrl-C raises
        if _raised_by_callback(error):
            stop_reason = "early_stopping"
            tracker.score_late(net)
        elif tracker.history:
            stop_reason, interrupt = "interrupted", error
        else:
            raise
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


def _own_net(net: Any, samples: Samples) -> NeuralNet:
    """Return a fresh skorch net made of whatever ``net`` is; nothing of it is shared with the caller."""
    if net is None or isinstance(net, str):
        # little data needs small batches to be stepped on often enough
        batch_size = min(128, max(16, len(samples) // 32))
        return memorizing_net(module_for(net, samples), batch_size=batch_size)
    if isinstance(net, NeuralNet):
        own = clone(net)
        if own.module is None or isinstance(own.module, str):
            own = type(own)(**{**own.get_params(deep=False), "module": module_for(own.module, samples)})
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
        return memorizing_net(copy.deepcopy(net))
    raise TypeError(
        f"net must be None, a name, a skorch NeuralNet, or an nn.Module class or instance, got {type(net).__name__}."
    )


def output_kind(net: NeuralNet) -> OutputKind:
    """Return what the net puts out, by skorch's own rule: its classifier takes the log for NLLLoss."""
    if isinstance(net.criterion_, nn.NLLLoss) and isinstance(net, NeuralNetClassifier):
        return "probabilities"
    return "logits"


def _is_plain(criterion: nn.Module) -> bool:
    """Say whether a criterion is cross-entropy without weights and smoothing."""
    plain = type(criterion) in (nn.CrossEntropyLoss, nn.NLLLoss)
    return plain and criterion.weight is None and not getattr(criterion, "label_smoothing", 0)


def _check_output(net: NeuralNet, samples: Samples, output: OutputKind) -> None:
    """Show the net two samples, so that what can't work is said before training starts."""
    with isolated_rng(torch.device(net.device)), measuring(net.module_), torch.no_grad():
        try:
            raw = net.infer(samples.batch(torch.arange(min(2, len(samples)))))
        except Exception as error:
            error.add_note(f"The net met samples of shape {samples.shape} from X.")
            raise
        first = raw[0] if isinstance(raw, (tuple, list)) else raw
        logits = logits_of(first, "logits")
    n_classes = len(samples.classes)
    if logits.shape[1] < n_classes:
        raise ValueError(
            f"net puts out {logits.shape[1]} logits, but y holds {n_classes} classes. Widen its last layer."
        )
    if isinstance(net.criterion_, nn.NLLLoss):
        weights = logits if output == "probabilities" else logits.exp()
        total = weights.sum(1)
        if (weights < 0).any() or not torch.allclose(total, torch.ones_like(total), atol=1e-3):
            wanted = "probabilities" if output == "probabilities" else "log-probabilities"
            raise ValueError(
                f"net has criterion NLLLoss, for which skorch wants {wanted}, but puts out something else. For "
                "logits pass criterion=torch.nn.CrossEntropyLoss."
            )
