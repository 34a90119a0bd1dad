"""The recipe that takes a classifier to memorization, as a skorch net: SGD with momentum, and schedules.

Learning rate and weight decay are laid out over the number of epochs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Self, TypeAlias

import torch
from skorch import NeuralNet, NeuralNetClassifier
from skorch.callbacks import Callback, GradientNormClipping
from skorch.dataset import get_len
from torch import Tensor, nn
from torch.linalg import vector_norm
from torch.nn.utils import clip_grads_with_norm_

from curvdetect.data.batches import BatchLoader, is_ours
from curvdetect.data.types import Record
from curvdetect.signals.passes import in_full
from curvdetect.training.schedules import Schedule

#: From a batch to its loss and what the module put out.
Step: TypeAlias = Callable[..., dict[str, Tensor]]
#: Epochs of the recipe where nothing else is said.
EPOCHS = 30
#: Largest norm of the gradient of a batch, in the recipe for tables.
LARGEST_GRADIENT = 1.0
#: Size of a batch, unless there are few samples.
LARGEST_BATCH = 128
#: Weight decay of the recipe.
DECAY = 1e-4
#: Weight decay of the first epochs in the recipe for tables, and the share of the epochs that it lasts.
FIRST_DECAY, FIRST_SHARE = 5e-3, 0.4
_LOADER_OPTIONS = {"iterator_train__augment", "iterator_train__shuffle", "iterator_train__batch_size"}


def memorizing_net(
    module: nn.Module | type[nn.Module] | str | None,
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
    **options: object,
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
        Train so that no column of a table makes the training fall apart: the gradient of a batch has a norm of 1 at
        most, a weight decay left at its default is 5e-3 in the first two fifths of the epochs, and the default schedule
        is ``partial(one_cycle, peak=0.6, start=0.1)``. By default only the network for rows taken for None is trained
        so.
    max_epochs : int
        Length of the training, by which the schedule is laid out.
    augment : bool, default=False
        Crop and flip pictures at random. Scoring never sees it.
    precision : {"float32", "bfloat16"}, default="float32"
        Of the training passes: bfloat16 by autocast, faster where the hardware knows it. Scoring stays in float32.
    deterministic : bool, default=False
        Train and score on one CPU thread, and on CUDA by `torch.use_deterministic_algorithms`, so that scores are the
        same to the last digit whatever the number of threads. CUDA wants ``CUBLAS_WORKSPACE_CONFIG=:4096:8`` in the
        environment beside it.
    **options
        Any other parameter of ``skorch.NeuralNetClassifier``. Callbacks are added to the schedule.

    Returns
    -------
    MemorizingNet
        A skorch ``NeuralNetClassifier``, not initialized.

    Raises
    ------
    TypeError, ValueError
        Where ``schedule`` is no function, or ``iterator_train`` can't do what is asked of it.

    Examples
    --------
    >>> import torch
    >>> from curvdetect import memorizing_net
    >>> memorizing_net(torch.nn.Linear(2, 2), lr=0.05).lr
    0.05
    """
    settings: Record = {
        "criterion": nn.CrossEntropyLoss,
        "optimizer": torch.optim.SGD,
        "iterator_train": BatchLoader,
        "train_split": None,
        "verbose": 0,
        "batch_size": batch_size,
        **options,
    }
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
        settings["batch_size"] = LARGEST_BATCH
    theirs = settings.pop("callbacks", None) or []
    if theirs != "disable" and not any(isinstance(c[1] if isinstance(c, tuple) else c, Schedule) for c in theirs):
        theirs = [("schedule", Schedule(schedule)), *theirs]
    return MemorizingNet(
        module,
        lr=lr,
        max_epochs=max_epochs,
        callbacks=theirs,
        precision=precision,
        deterministic=deterministic,
        for_tables=for_tables,
        **settings,
    )


class DecayFirst(Callback):
    """A default weight decay, stronger in the first epochs, so that wrong labels are learned after right ones."""

    def on_epoch_begin(self, net: NeuralNet, **kwargs: object) -> None:
        """Set the weight decay of the epoch that begins; the optimizer keeps its own beside it."""
        first = len(net.history) <= FIRST_SHARE * net.max_epochs
        for group in net.optimizer_.param_groups:
            if group.setdefault("own_weight_decay", group.get("weight_decay")) == DECAY:
                group["weight_decay"] = FIRST_DECAY if first else DECAY


class BoundedGradient(GradientNormClipping):
    """skorch's bound on the norm of all gradients, to the same bits with half the work."""

    def on_grad_computed(self, net: NeuralNet, *args: object, **kwargs: object) -> None:
        """Scale the gradients of a batch down, where they are too large."""
        if self.gradient_clip_value is None:
            return
        # of the optimizer, which has them at hand: skorch walks through all modules
        parameters = [p for group in net.optimizer_.param_groups for p in group["params"]]
        kind = self.gradient_clip_norm_type
        norms = [vector_norm(p.grad, kind) for p in parameters if p.grad is not None]
        if not norms:
            return
        norm = vector_norm(torch.stack(norms), kind)
        # a factor of one is left out, where the device needs not be waited for to know it
        if norm.device.type != "cpu" or not norm + 1e-6 <= self.gradient_clip_value:
            clip_grads_with_norm_(parameters, self.gradient_clip_value, norm)


class MemorizingNet(NeuralNetClassifier):
    """A skorch classifier that trains in a precision of choice and never waits for the device within an epoch.

    ``precision``, ``deterministic`` and ``for_tables`` are those of `memorizing_net`; all else is skorch's.
    """

    def __init__(
        self,
        module: nn.Module | type[nn.Module] | str | None,
        *args: object,
        precision: str = "float32",
        deterministic: bool = False,
        for_tables: bool | None = None,
        **kwargs: object,
    ) -> None:
        super().__init__(module, *args, **kwargs)
        self.precision = precision
        self.deterministic = deterministic
        self.for_tables = for_tables

    @property
    def _default_callbacks(self) -> list[tuple[str, Callback]]:
        theirs: list[tuple[str, Callback]] = super()._default_callbacks
        if not self.for_tables:
            return theirs
        return [*theirs, ("gradient_norm", BoundedGradient(LARGEST_GRADIENT)), ("decay_first", DecayFirst())]

    def initialize(self) -> Self:
        """Make the module and all else that training needs."""
        if self.precision not in ("float32", "bfloat16"):
            raise ValueError(f"precision must be 'float32' or 'bfloat16', got {self.precision!r}.")
        return super().initialize()

    def _set_training(self, training: bool = True) -> None:
        """Put modules and criteria into a mode, as skorch does at each step, unless all of them are in it."""
        parts = [getattr(self, f"{name}_") for name in (*self._modules, *self._criteria)]
        modules = [m for part in parts if isinstance(part, nn.Module) for m in part.modules()]
        # a method of the user's may set another mode for a part, such as a frozen BatchNorm
        if any(m.training != training or type(m).train is not nn.Module.train for m in modules):
            super()._set_training(training)

    def infer(self, x: Tensor, **fit_params: object) -> object:
        """Return what the module makes of a batch; with autocast while it trains."""
        if self.precision == "float32" or not self.module_.training:
            return super().infer(x, **fit_params)
        with torch.autocast(torch.device(self.device).type, torch.bfloat16):
            output = super().infer(x, **fit_params)
        return in_full(output)  # for the loss, and for signals

    def run_single_epoch(
        self, iterator: Iterable[object] | None, training: bool, prefix: str, step_fn: Step, **fit_params: object
    ) -> None:
        """Train or validate for an epoch, as skorch does; losses are read when it is over, not one at a time."""
        if iterator is None:
            return
        # not by the history's own methods, each of which copies the list of epochs
        batches: list[Record] = self.history[-1]["batches"]
        records: list[Record] = []
        try:
            for batch in iterator:
                self.notify("on_batch_begin", batch=batch, training=training)
                step = step_fn(batch, **fit_params)
                record = batches[-1]
                record[f"{prefix}_loss"] = step["loss"].detach()
                first = batch[0] if isinstance(batch, (tuple, list)) else batch
                record[f"{prefix}_batch_size"] = len(first) if isinstance(first, Tensor) else get_len(first)
                records.append(record)
                self.notify("on_batch_end", batch=batch, training=training, **step)
        finally:
            losses = [record[f"{prefix}_loss"] for record in records]
            for record, loss in zip(records, torch.stack(losses).tolist() if losses else [], strict=True):
                record[f"{prefix}_loss"] = loss
        self.history.record(f"{prefix}_batch_count", len(records))
