"""The recipe that takes a classifier to memorization, as a skorch net.

SGD with momentum and schedules laid out over the number of epochs. It refuses to choose a network.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, Self

import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import GradientNormClipping
from skorch.dataset import get_len
from torch import nn

from curvdetect.data.loading import BatchLoader, is_ours
from curvdetect.signals.scoring import in_full
from curvdetect.training.schedules import DECAY, DecayFirst, Schedule

#: Epochs of the recipe where nothing else is said.
EPOCHS = 30
#: Largest norm of the gradient of a batch, in the recipe for tables.
LARGEST_GRADIENT = 1.0
#: Size of a batch, unless there are few samples.
LARGEST_BATCH = 128
_LOADER_OPTIONS = {"iterator_train__augment", "iterator_train__shuffle", "iterator_train__batch_size"}


def check_settings(net: NeuralNetClassifier) -> None:
    """Raise where the length of a net's training, or of its batches, is out of range."""
    whole = net.batch_size == -1 and not is_ours(net.iterator_train)  # skorch's name for all samples at once
    for name, value in {"max_epochs": net.max_epochs, "batch_size": 1 if whole else net.batch_size}.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
            raise ValueError(f"net has {name}={value!r}; it must be a whole number, at least 1.")
    if isinstance(net.lr, bool) or not isinstance(net.lr, Real) or not 0 <= float(net.lr) < float("inf"):
        raise ValueError(f"net has lr={net.lr!r}; a learning rate is a number, 0.1 for instance.")
    if not callable(net.iterator_train):
        raise TypeError(f"net has iterator_train={net.iterator_train!r}; it must be a DataLoader class.")
    if not isinstance(net.module, nn.Module) and not callable(net.module):
        raise TypeError(f"net has module={net.module!r}; it must be an nn.Module, its class, a name or None.")


def memorizing_net(
    module: Any,
    *,
    lr: float = 0.1,
    batch_size: int | None = None,
    momentum: float = 0.9,
    weight_decay: float = DECAY,
    schedule: Callable[[int], Callable[[int], float]] | None = None,
    for_tables: bool | None = None,
    max_epochs: int = EPOCHS,
    augment: bool = False,
    precision: str = "float32",
    deterministic: bool = False,
    **options: Any,
) -> MemorizingNet:
    """Return a skorch net with the recipe that takes a classifier to memorization.

    Parameters
    ----------
    module : nn.Module class or instance, str or None
        Puts out logits. None and names (``"resnet18-cifar"``, ``"resnet-mnist"``) are sized from the data by the
        detector that trains the net.
    lr, weight_decay : float
        Of the optimizer.
    momentum : float, default=0.9
        Of SGD, the default optimizer.
    batch_size : int, optional
        Batches differ in size by one at most. By default 128 for a module of your own; for None and names a 32nd of
        the samples that a detector fits, from 16 to 128.
    schedule : callable, optional
        From the number of epochs to a function from an epoch, counted from 0, to a factor of ``lr``. By default
        `one_cycle`, which rises over three tenths of the epochs and falls linearly to the end; `step_decay` is the
        paper's.
    for_tables : bool, optional
        Train so that no width, unit or tail of the columns of a table makes the training fall apart: the gradient of a
        batch has a norm of 1 at most, a weight decay left at its default is 5e-3 in the first two fifths of the
        epochs, and the default schedule is ``partial(one_cycle, peak=0.6, start=0.1)``. By default the
        network for rows that is taken for None is trained so, and no other.
    max_epochs : int
        Length of the training, by which the schedule is laid out.
    augment : bool, default=False
        Crop and flip pictures at random. Scoring never sees it.
    precision : {"float32", "bfloat16"}, default="float32"
        Of the training passes: bfloat16 by autocast, faster where the hardware knows it. Scoring stays in float32.
    deterministic : bool, default=False
        Train and score on one CPU thread, and on CUDA by `torch.use_deterministic_algorithms`, so that a seed leads to
        the same scores to the last digit whatever the number of threads. Without it they are the same wherever
        that number is. CUDA wants ``CUBLAS_WORKSPACE_CONFIG=:4096:8`` in the environment beside it.
    **options
        Any other parameter of ``skorch.NeuralNetClassifier``. Callbacks are added to the schedule.

    Returns
    -------
    MemorizingNet
        A skorch ``NeuralNetClassifier``, not initialized.

    Examples
    --------
    >>> import torch
    >>> from curvdetect import memorizing_net
    >>> memorizing_net(torch.nn.Linear(2, 2), lr=0.05).lr
    0.05
    """
    defaults: dict[str, Any] = {
        "criterion": nn.CrossEntropyLoss,
        "optimizer": torch.optim.SGD,
        "iterator_train": BatchLoader,
        "train_split": None,
        "verbose": 0,
    }
    settings = {**defaults, **options}
    if settings["optimizer"] is torch.optim.SGD:
        settings.setdefault("optimizer__momentum", momentum)
    if "weight_decay" in inspect.signature(settings["optimizer"]).parameters:  # LBFGS and Rprop know none
        settings.setdefault("optimizer__weight_decay", weight_decay)
    if schedule is not None and not callable(schedule):
        raise TypeError(f"schedule must be a function such as one_cycle or step_decay, got {schedule!r}.")
    loader = settings["iterator_train"]
    if is_ours(loader):
        settings.setdefault("iterator_train__augment", augment)
        unknown = {k for k in settings if k.startswith("iterator_train__")} - _LOADER_OPTIONS
        if loader is BatchLoader and unknown:
            raise ValueError(
                f"{', '.join(sorted(unknown))}: the recipe's own loader, for data in memory, has no such option. Pass "
                "iterator_train=torch.utils.data.DataLoader and iterator_train__shuffle=True beside it."
            )
    elif augment:
        raise ValueError(
            "augment=True is done by the recipe's own loader: leave iterator_train out, or augment in yours."
        )
    if batch_size is None and module is not None and not isinstance(module, str):
        batch_size = LARGEST_BATCH
    theirs = settings.pop("callbacks", None) or []
    if theirs != "disable" and not any(isinstance(c[1] if isinstance(c, tuple) else c, Schedule) for c in theirs):
        theirs = [("schedule", Schedule(schedule)), *theirs]
    return MemorizingNet(
        module,
        lr=lr,
        batch_size=batch_size,
        max_epochs=max_epochs,
        callbacks=theirs,
        precision=precision,
        deterministic=deterministic,
        for_tables=for_tables,
        **settings,
    )


class MemorizingNet(NeuralNetClassifier):
    """A skorch classifier that trains in a precision of choice and never waits for the device within an epoch.

    Parameters
    ----------
    module : nn.Module class or instance, str or None
        Puts out logits.
    *args, **kwargs
        As for ``skorch.NeuralNetClassifier``.
    precision : {"float32", "bfloat16"}, default="float32"
        Of the passes that train.
    deterministic : bool, default=False
        Whether detectors are to train and score it in one order of summation.
    for_tables : bool, optional
        Whether gradients are bounded and weights decay faster at first; None is what the network asks for.
    """

    def __init__(
        self,
        module: Any,
        *args: Any,
        precision: str = "float32",
        deterministic: bool = False,
        for_tables: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(module, *args, **kwargs)
        self.precision = precision
        self.deterministic = deterministic
        self.for_tables = for_tables

    @property
    def _default_callbacks(self) -> list[tuple[str, Any]]:
        theirs: list[tuple[str, Any]] = super()._default_callbacks
        if not self.for_tables:
            return theirs
        return [*theirs, ("gradient_norm", GradientNormClipping(LARGEST_GRADIENT)), ("decay_first", DecayFirst())]

    def initialize(self) -> Self:
        """Make the module and all else that training needs."""
        if self.precision not in ("float32", "bfloat16"):
            raise ValueError(f"precision must be 'float32' or 'bfloat16', got {self.precision!r}.")
        return super().initialize()

    def infer(self, x: Any, **fit_params: Any) -> Any:
        """Return what the module makes of a batch; with autocast while it trains."""
        if self.precision == "float32" or not self.module_.training:
            return super().infer(x, **fit_params)
        with torch.autocast(torch.device(self.device).type, torch.bfloat16):
            output = super().infer(x, **fit_params)
        return in_full(output)  # for the loss, and whoever looks at the logits

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Callable[..., Any], **fit_params: Any
    ) -> None:
        """Train or validate for an epoch, as skorch does; losses are read when it is over, not one at a time."""
        if iterator is None:
            return
        records: list[dict[str, Any]] = []
        try:
            for batch in iterator:
                self.notify("on_batch_begin", batch=batch, training=training)
                step = step_fn(batch, **fit_params)
                self.history.record_batch(f"{prefix}_loss", step["loss"].detach())
                first = batch[0] if isinstance(batch, (tuple, list)) else batch
                self.history.record_batch(f"{prefix}_batch_size", get_len(first))
                records.append(self.history[-1]["batches"][-1])
                self.notify("on_batch_end", batch=batch, training=training, **step)
        finally:
            losses = [record[f"{prefix}_loss"] for record in records]
            for record, loss in zip(records, torch.stack(losses).tolist() if losses else [], strict=True):
                record[f"{prefix}_loss"] = loss
        self.history.record(f"{prefix}_batch_count", len(records))
