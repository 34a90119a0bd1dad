"""The skorch callback that shows every sample to every signal.

It goes first in the net's list of callbacks, before anything that may end the training, and draws nothing from the
generators that training uses.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from torch import Tensor

from curvdetect.data.batches import AT_ONCE
from curvdetect.data.isolation import isolated_rng
from curvdetect.data.progress import Clock, progress_bar
from curvdetect.data.samples import Samples
from curvdetect.data.types import Record
from curvdetect.signals.dynamics import gathering
from curvdetect.signals.passes import OutputKind, logits_of, measuring, quicker, rows_within
from curvdetect.signals.signal import Batch, MeanOverEpochs, Plan, Signal, Stage, wants_gradient
from curvdetect.training.averaging import MeanWeights
from curvdetect.training.checkpoints import Snapshot
from curvdetect.training.own_net import divisor, output_kind, weighted, whole_of, with_copied_modules
from curvdetect.training.ranks import Ranks
from curvdetect.training.recipe import MemorizingNet
from curvdetect.training.settings import Settings, deterministically, scored_epochs


class Tracker(Callback):
    """Show samples to signals while a skorch net trains; scoring signals see ``watched``, each process its share."""

    def __init__(
        self,
        samples: Samples,
        signals: Sequence[Signal],
        plan: Plan,
        settings: Settings,
        *,
        output: OutputKind,
        watched: Samples | None = None,
        ranks: Ranks | None = None,
        at_once: bool = False,
        default: bool = False,
    ) -> None:
        self.plan, self.output, self.ranks = plan, output, ranks or Ranks()
        learned = "own net" if not default else "rows" if len(samples.shape) == 1 else "pictures"
        self.scored = scored_epochs(plan.n_epochs, settings.every, learned)
        self.units = None if samples.units is None else samples.units.to(plan.device, torch.float32)
        self.stop_at, self.patience, self.reached, self.done = settings.stop_at, settings.patience, 0, False
        self.shown: dict[Stage, Samples] = {"scoring": samples if watched is None else watched, "final": samples}
        looking = gathering(signals)
        self.signals: dict[Stage, list[Signal]] = {
            stage: [s for s in looking if s.stage == stage] for stage in ("training", "scoring", "final")
        }
        self.rows: int | None = None
        self.wants_gradient = any(wants_gradient(s) for s in signals)
        self.history: list[Record] = []
        self.seconds: dict[str, float] = {"training": 0.0, **{s.name: 0.0 for s in (*signals, *looking)}}
        self.clock = Clock(plan.device)
        self.index = torch.empty(0, dtype=torch.int64)
        self._averages = settings.every == "auto" and learned == "pictures" and bool(self.signals["scoring"])
        self._mean: MeanWeights | None = None
        self._gradient: Tensor | None = None
        self.at_once = at_once
        self._kept: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
        self._n_kept = 0
        n_scored = len(self.scored) if self.signals["scoring"] else 0
        self.bar = progress_bar(
            self._n_shown(plan.n_epochs, n_scored),
            shown=bool(settings.progress) and self.ranks.rank == 0,
            desc=settings.progress if isinstance(settings.progress, str) else "memorizing",
            unit="samples",
            unit_scale=True,
        )
        for signal in looking:
            signal.start(replace(plan, n_samples=len(self.shown.get(signal.stage, samples))))

    def _n_shown(self, n_epochs: int, n_scored: int) -> int:
        """Return how many samples some epochs, and the walks after some of them, show."""
        return self.plan.n_samples * n_epochs + self.shown["scoring"].n_scored * n_scored

    def on_index(self, index: Tensor) -> None:
        """Take note of which samples the next batch holds."""
        self.index = index

    def on_epoch_begin(self, net: NeuralNet, **kwargs: object) -> None:
        """Start the clock."""
        self.epoch = len(self.history) + 1
        self._loss = self.plan.zeros()
        self._correct = torch.zeros((), dtype=torch.int64, device=self.plan.device)
        self._seen = 0
        self._mean = MeanWeights(whole_of(net)) if self._averages and self.epoch in self.scored else None
        self._started = time.perf_counter()

    def on_batch_begin(self, net: NeuralNet, batch: tuple[Tensor, Tensor], training: bool, **kwargs: object) -> None:
        """Ask for the gradient at the inputs, where a signal wants it."""
        if training and self.wants_gradient:
            batch[0].requires_grad_(True)
            self._gradient = None

    def on_grad_computed(self, net: NeuralNet, batch: tuple[Tensor, Tensor], training: bool, **kwargs: object) -> None:
        """Keep the gradient of the first pass over a batch: some optimizers make several, which would add up."""
        if training and self.wants_gradient:
            self._gradient = batch[0].grad if self._gradient is None else self._gradient
            batch[0].grad = None

    def on_batch_end(
        self,
        net: NeuralNet,
        batch: tuple[Tensor, Tensor],
        training: bool,
        y_pred: object,
        **kwargs: object,
    ) -> None:
        """Show a training batch to the signals of the training passes."""
        if training and self._mean is not None:
            self._mean.add()
        if not training or not len(self.index):  # a batch too small for several processes to share
            return
        x, y = batch[0], batch[1]
        # copied where they are kept: a compiled module may write those of the next batch in their place
        logits = logits_of(y_pred, self.output).detach().to(torch.float32, copy=self.at_once)
        # a callback may change a batch when it is over, and labels count here
        self._kept.append((self.index, x.detach(), y.clone() if self.at_once else y, logits))
        self._n_kept += x.numel() + logits.numel()
        if self.wants_gradient:
            found = x.grad if self._gradient is None else self._gradient
            if found is None:
                names = " and ".join(repr(s.name) for s in self.signals["training"] if wants_gradient(s))
                raise ValueError(f"net passes no gradient to its input, so signal {names} can't be measured.")
            y = y.to(self.plan.device)
            self._show_kept(gradient=weighted(found.to(self.plan.device), divisor(net.criterion_, y)))
        elif not self.at_once or self._n_kept >= AT_ONCE:
            self._show_kept()
        self.bar.update(len(y) * self.ranks.size)

    def _show_kept(self, **known: Tensor) -> None:
        """Show the training batches that were kept to the signals of the training passes, as one."""
        kept, self._kept, self._n_kept = self._kept, [], 0
        if not kept:
            return
        with self.clock.timing(""):  # all of it; signals have names
            index, x, y, logits = kept[0] if len(kept) == 1 else map(torch.cat, zip(*kept, strict=True))
            device = self.plan.device
            seen = self._batch(index.to(device), x, y.to(device), self._refuse, logits=logits, **known)
            self._loss += seen.loss.to(self._loss.device).double().sum()
            self._correct += seen.correct.sum()
            self._seen += len(y)
            self._show(seen, "training")

    def _batch(
        self, index: Tensor, x: Tensor, y: Tensor, forward: Callable[[Tensor], Tensor], **known: Tensor
    ) -> Batch:
        quarter = self.plan.quarter(self.epoch)
        return Batch(index, x, y, epoch=self.epoch, quarter=quarter, forward=forward, units=self.units, **known)

    def _refuse(self, x: Tensor) -> Tensor:
        """Stand in for the net, whose statistics and generators a signal's own pass would move."""
        raise ValueError(
            f"signal {self._shown_to!r} has stage 'training' and asks the net for a pass of its own (batch.forward, "
            "batch.other_gradient, or batch.gradient without wants_gradient = True), which would change the training. "
            "Set its attribute wants_gradient = True where batch.gradient is all it needs; otherwise stage = 'scoring'."
        )

    def on_epoch_end(self, net: NeuralNet, **kwargs: object) -> None:
        """Close the epoch: check it, score it where it is its turn, and stop where the aim is reached."""
        self._show_kept()
        if self.ranks.size > 1:
            seen = torch.tensor(self._seen)
            self.ranks.sum(self._loss, self._correct, seen)
            self._seen = int(seen)
        if not self._seen:
            raise ValueError(
                "the net's iterator_train yields no batch (drop_last with a batch_size beyond the number of samples?)."
            )
        loss, accuracy = float(self._loss) / self._seen, float(self._correct) / self._seen
        spent, watching = time.perf_counter() - self._started, self._take_times()
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"the training loss became {loss} in epoch {self.epoch}. Lower the learning rate, or check that the "
                "criterion fits what the net puts out (CrossEntropyLoss for logits)."
            )
        self.reached = self.reached + 1 if self.stop_at is not None and accuracy >= self.stop_at else 0
        self.done = self.reached >= self.patience
        record = {
            "epoch": self.epoch,
            "train_loss": loss,
            "train_accuracy": accuracy,
            "scored": False,
            "seconds_training": spent,
            "seconds_watching": watching,
            "seconds_scoring": 0.0,
        }
        if self.epoch in self.scored or self.done:
            record |= self._scored(net, always=self.epoch in self.scored)
        self._end_epoch("training")
        self.seconds["training"] += spent - watching
        self.history.append(record)
        self.bar.set_postfix_str(f"epoch {self.epoch}/{self.plan.n_epochs}, accuracy {accuracy:.3f}")

    def on_train_end(self, net: NeuralNet, **kwargs: object) -> None:
        """Show what was kept of an epoch that was broken off."""
        self._show_kept()

    def go_on_from(self, history: list[Record], seconds: dict[str, float], reached: int) -> None:
        """Count on from where another tracker, whose attributes these are, stood after an epoch."""
        self.history, self.seconds, self.reached = history, seconds, reached
        self.done = reached >= self.patience
        self.epoch = len(history)
        done = self._n_shown(self.epoch, sum(record["scored"] for record in history))
        self.bar.n = self.bar.initial = self.bar.last_print_n = done  # takes none of the time that is left

    def score_late(self, net: NeuralNet) -> None:
        """Score the last epoch after all, where training ended before any was."""
        self.history[-1] |= self._scored(net, always=False)

    def _scored(self, net: NeuralNet, *, always: bool) -> Record:
        """Score an epoch, where no other was or ``always``; return what its record says of that."""
        signals = self.signals["scoring"]
        if not signals or (not always and any(record["scored"] for record in self.history)):
            return {}
        with self.as_scored():
            seconds = self.walk(net, "scoring")
        self._end_epoch("scoring")
        means = {f"mean_{s.name}": float(s.latest) for s in signals if isinstance(s, MeanOverEpochs)}
        return {"scored": True, "seconds_scoring": seconds, **means}

    def as_scored(self) -> AbstractContextManager[None]:
        """Give the net, for a block, the weights that the epoch is scored with."""
        return nullcontext() if self._mean is None else self._mean.in_place()

    def _end_epoch(self, stage: Stage) -> None:
        for signal in self.signals[stage]:
            signal.end_epoch()

    def walk(self, net: NeuralNet, stage: Stage) -> float:
        """Show the samples of a stage once, in index order and evaluation mode; return the seconds taken."""
        samples, device = self.shown[stage], self.plan.device
        started = time.perf_counter()
        self._correct = torch.zeros((), dtype=torch.int64, device=device)
        finite = torch.ones((), dtype=torch.bool, device=device)
        with isolated_rng(device), measuring(whole_of(net)):
            if stage == "scoring" and samples.scored is not None:
                visited = samples.scored.to(samples.device)
            else:
                visited = torch.arange(len(samples), device=samples.device)
            mine, labels = self.ranks.share.of(visited), samples.labels.to(device)
            forward, rows = self._forward(net, samples.batch(visited[:2]).to(device), rewrite=stage == "scoring")
            chunks = mine.tensor_split(max(1, -(-len(mine) // rows))) if len(mine) else ()
            for index, inputs in samples.read_ahead(chunks):
                number = index.to(device)
                batch = self._batch(number, inputs.to(device), labels[number], forward)
                self._show(batch, stage)
                finite &= torch.isfinite(batch.logits).all()
                if stage == "final":
                    self._correct += batch.correct.sum()
                else:
                    self.bar.update(len(index) * self.ranks.size)
        if self.ranks.any(not finite):
            raise FloatingPointError(
                f"the net puts out NaN or infinity after epoch {self.epoch}. Lower the learning rate, or check that "
                "BatchNorm saw batches of more than one sample."
            )
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        self._take_times()
        return time.perf_counter() - started

    def _forward(self, net: NeuralNet, few: Tensor, *, rewrite: bool) -> tuple[Callable[[Tensor], Tensor], int]:
        """Return the way from inputs to logits, by a copy of the network where that is quicker, and rows of a pass."""
        infer = net.infer
        if rewrite and type(net).infer in (NeuralNet.infer, MemorizingNet.infer):
            infer = quicker(net.module_, few)

        def forward(x: Tensor) -> Tensor:
            return logits_of(infer(x), self.output)

        if self.rows is None:
            self.rows = rows_within(forward, few)
        return forward, self.rows

    def finish(self, net: NeuralNet) -> float:
        """Show the finished net to the signals that look at nothing else; return the training accuracy."""
        self.walk(net, "final")
        self.ranks.sum(self._correct)
        self._end_epoch("final")
        return float(self._correct) / self.plan.n_samples

    def _show(self, batch: Batch, stage: Stage) -> None:
        for signal in self.signals[stage]:
            self._shown_to = signal.name
            with self.clock.timing(signal.name):
                signal.update(batch)

    def _take_times(self) -> float:
        """Count what each signal took, once the device is through, and return what all the watching did."""
        spent = self.clock.read()
        watching = spent.pop("", 0.0)
        for name, seconds in spent.items():
            self.seconds[name] += seconds
        return watching


def measure_on(
    snapshots: Iterable[Snapshot], net: NeuralNet, samples: Samples, signals: Sequence[Signal], plan: Plan
) -> None:
    """Show samples to signals on each of several snapshots of a net, at whatever stage the signals usually look."""
    own = with_copied_modules(net)
    whole = whole_of(own).to(plan.device)
    # past skorch's bookkeeping, which would make the modules anew
    own.__dict__["device"] = str(plan.device)
    with isolated_rng(plan.device), deterministically(bool(getattr(net, "deterministic", False))):
        settings, looking = Settings(net, plan.device, seed=0), gathering(signals)
        tracker = Tracker(samples.to(plan.device), looking, plan, settings, output=output_kind(net))
        tracker.signals["scoring"] = looking
        for snapshot in snapshots:
            whole.load_state_dict(snapshot.load())
            tracker.epoch = snapshot.epoch
            tracker.walk(own, "scoring")
            for signal in looking:
                signal.end_epoch()
