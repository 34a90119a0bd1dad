"""What keeps the processes that train together at the same weights.

Gradients are added up before each step, weighted by the share of the batch, so that the step is the one that a single
process would make on the whole batch. Running statistics are brought together between epochs.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from curvdetect.data.isolation import generator_states, isolated_rng, set_generators, spread
from curvdetect.data.samples import Samples
from curvdetect.signals.signal import Plan
from curvdetect.training.own_net import divisor, is_mean, weighted, whole_of
from curvdetect.training.ranks import Ranks

#: Samples by whose inputs processes compare their data.
_COMPARED = 16


class InStep(Callback):
    """Keep the net of one process in step with those of the others."""

    def __init__(self, ranks: Ranks, plan: Plan) -> None:
        self.ranks, self.device = ranks, plan.device
        self._mine, self._whole = 1, 1
        self._weight: Tensor | float = 1.0
        self._loss, self._seen = plan.zeros(), 0

    def on_share(self, mine: int, whole: int) -> None:
        """Take note of this process's share of the next batch: nothing where the batch is too small."""
        self._mine, self._whole = mine, whole

    def on_train_begin(self, net: NeuralNet, X: Samples, **kwargs: object) -> None:
        """Start from the weights of the first process, on data that is the same for all."""
        check_same(self.ranks, X)
        module = whole_of(net)
        self.ranks.from_first(*(p.data for p in module.parameters()), *module.buffers())

    def on_epoch_begin(self, net: NeuralNet, **kwargs: object) -> None:
        """End the training where another process did; otherwise draw what the first one draws."""
        if self.ranks.any(False):
            net.history.pop()  # of an epoch that is not going to be
            raise EndedElsewhere
        states = self.ranks.first(lambda: generator_states(torch.device("cpu")))
        if self.device.type != "cpu":
            states = {**generator_states(self.device), **states}
        set_generators(self.device, states)
        self._loss.zero_()
        self._seen = 0

    def on_grad_computed(
        self,
        net: NeuralNet,
        named_parameters: Iterable[tuple[str, Tensor]],
        batch: tuple[Tensor, Tensor],
        **kwargs: object,
    ) -> None:
        """Put the gradient of the whole batch in place of that of the share; one that no process has stays out."""
        counted = divisor(net.criterion_, batch[1][: self._mine])
        if isinstance(counted, Tensor):
            whole = counted.clone()
            self.ranks.sum(whole)
            self._weight = counted / whole
        else:
            self._weight = counted / self._whole if is_mean(net.criterion_) else float(counted > 0)
        parameters = [p for _, p in named_parameters if p.requires_grad]
        for kind in {(p.dtype, p.device) for p in parameters}:
            alike = [p for p in parameters if (p.dtype, p.device) == kind]
            parts = [torch.zeros_like(p) if p.grad is None else weighted(p.grad, self._weight) for p in alike]
            there = parts[0].new_tensor([float(p.grad is not None) for p in alike])
            flat = torch.cat([*(part.reshape(-1) for part in parts), there])
            self.ranks.sum(flat)
            *sums, counts = torch.split(flat, [*(p.numel() for p in alike), len(alike)])
            for p, sum_, count in zip(alike, sums, counts.tolist(), strict=True):
                if count:
                    p.grad = sum_.view_as(p).clone(memory_format=torch.preserve_format)

    def on_batch_end(self, net: NeuralNet, training: bool, loss: Tensor, **kwargs: object) -> None:
        """Count the loss of the share."""
        if training and self._mine:
            counted = weighted(loss.detach(), self._weight) * (self._whole if is_mean(net.criterion_) else 1)
            self._loss += counted.to(self._loss.device)
            self._seen += self._mine

    def on_epoch_end(self, net: NeuralNet, **kwargs: object) -> None:
        """Bring running statistics together, and let callbacks that read the loss read that of all samples."""
        module = whole_of(net)
        norms = [m for m in module.modules() if isinstance(m, _BatchNorm) and m.running_mean is not None]
        averaged = [b for m in norms for b in (m.running_mean, m.running_var) if b is not None]
        known = {id(buffer) for buffer in averaged}
        self.ranks.from_first(*(b for b in module.buffers() if id(b) not in known))
        self.ranks.sum(*averaged)
        for buffer in averaged:
            buffer /= self.ranks.size
        seen = torch.tensor(self._seen)
        self.ranks.sum(self._loss, seen)
        overall = float(self._loss / seen)
        for record in net.history[-1]["batches"]:
            if "train_loss" in record:
                record["train_loss"] = overall


class EndedElsewhere(Exception):  # noqa: N818 - it is no error
    """A callback ended the training in another process."""


def check_same(ranks: Ranks, samples: Samples) -> None:
    """Raise where the processes were given other data than the first; a few of the inputs are compared."""
    with isolated_rng(torch.device("cpu")):  # a transform may draw
        inputs = samples.batch(spread(len(samples), _COMPARED))
    labels, shown = (
        blake2b(part.cpu().contiguous().numpy().tobytes(), digest_size=8).hexdigest()
        for part in (samples.labels, inputs)
    )
    said = ranks.each((len(samples), labels, repr(samples.classes.tolist()), shown))
    for rank, theirs in enumerate(said):
        for what, first, other in zip(("X, in length,", "y", "y, in its classes,", "X"), said[0], theirs, strict=True):
            if first != other:
                raise ValueError(
                    f"{what} differs between processes 0 and {rank}: each runs the whole script, and what is drawn at "
                    "random in it (a subset, corrupt_labels, a random transform) needs a fixed seed, such as "
                    "random_state=0."
                )


def refuse_accelerated(net: NeuralNet, ranks: Ranks) -> None:
    """Raise for a net whose accelerator shares out batches or chooses the device, as is done here."""
    if not hasattr(net, "accelerator"):
        return
    if ranks.size > 1:
        raise ValueError(
            "net is a skorch AccelerateMixin, which shares batches out as curvdetect does under several processes: "
            "pass the same net without it. `accelerate launch` starts the processes as torchrun does."
        )
    if getattr(net.accelerator, "device_placement", False):
        raise ValueError(
            "net is a skorch AccelerateMixin whose accelerator chooses the device, as curvdetect does: pass the same "
            "net without it, or with Accelerator(device_placement=False)."
        )
