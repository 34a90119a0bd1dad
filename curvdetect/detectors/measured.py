"""The one place that measures: signals of a watched training, or of samples that were not trained on.

The latter are measured on the weights kept during the training.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from curvdetect.data.devices import resolve_device
from curvdetect.data.rows import digest_of
from curvdetect.data.samples import Samples
from curvdetect.data.types import Record
from curvdetect.signals.dynamics import Loss, Margin, OtherLabelVote
from curvdetect.signals.registry import recorded
from curvdetect.signals.signal import MeanOverEpochs, Plan, Signal
from curvdetect.training.checkpoints import NOWHERE, Snapshot
from curvdetect.training.identity import claim, identity_of
from curvdetect.training.memorize import memorize
from curvdetect.training.ranks import by_first
from curvdetect.training.settings import Settings
from curvdetect.training.tracker import measure_on

if TYPE_CHECKING:
    from curvdetect.detectors.base import BaseNoiseDetector

#: What the first optimizer of a process loads. It leaves the frames that it was called from in a cycle, and with them
#: all that a training holds of the samples.
_LOADED_LATE = "torch._dynamo"
#: Numbers beyond this have squares, and steps in proportion to them, that leave single precision.
LARGE = 1e18
#: Parameters that change nothing about a training.
_NOT_TRAINED_BY = ("q", "device", "random_state", "verbose", "checkpoint_dir")


@dataclass
class Measured:
    """Signals of all samples, and what else a fit leaves behind."""

    signal_scores: dict[str, NDArray[np.float64]]
    """By name, shape (n_samples,), higher for the more suspect."""
    other: NDArray[np.int64]
    """Code of the best label other than the given one."""
    attributes: Record
    """Fitted attributes beside those that every detector has."""
    interrupt: BaseException | None = None
    """The Ctrl-C, or the error, that cut the measuring short."""
    left_out: NDArray[np.float64] | None = None
    """Log-probabilities of all classes with each sample left out, shape (n_samples, n_classes), where known."""

    def only(self, rows: NDArray[np.int64]) -> Measured:
        """Return the signals of some of the samples."""
        signal_scores = {name: scores[rows] for name, scores in self.signal_scores.items()}
        left_out = None if self.left_out is None else self.left_out[rows]
        return replace(self, signal_scores=signal_scores, other=self.other[rows], left_out=left_out)


def begin(detector: BaseNoiseDetector, samples: Samples, device: torch.device) -> Settings:
    """Return how a detector trains its net on samples; a fit that its ``checkpoint_dir`` holds is taken up."""
    given, directory = detector.random_state, detector.checkpoint_dir
    seed, checkpoints = derive_seed(given), NOWHERE
    if directory is not None:
        if not isinstance(directory, str | Path):
            raise ValueError(f"checkpoint_dir must be None or the path of a directory, got {directory!r}.")
        params = detector.get_params(deep=False)
        identity = {
            "detector": type(detector).__name__,
            **identity_of({name: value for name, value in params.items() if name not in _NOT_TRAINED_BY}),
            "device": str(device),
            "random_state": str(given) if given is None or isinstance(given, Integral) else f"a generator at {seed}",
            **digest_of(samples),
        }
        own_seed = seed
        checkpoints, seed = by_first(lambda: claim(directory, identity, seed=own_seed))
    return Settings(
        detector.net,
        device,
        seed,
        max_epochs=detector.max_epochs,
        stop_at=detector.stop_at,
        patience=detector.patience,
        every=detector.every,
        progress=bool(detector.verbose),
        checkpoints=checkpoints,
        keep_snapshots=detector.keep_snapshots,
    )


def derive_seed(random_state: object) -> int:
    """Return a seed, one for all processes; None draws it from the system, not from numpy's global generator."""
    if random_state is None:
        return by_first(lambda: int(np.random.SeedSequence().generate_state(1)[0]))
    try:
        return by_first(lambda: int(check_random_state(random_state).randint(2**31 - 1)))
    except ValueError as error:
        raise ValueError(
            f"random_state must be None, a whole number from 0 to 2**32 - 1, or a numpy RandomState: {error}."
        ) from error


def derived_seed(seed: int, *key: int) -> int:
    """Return another seed, told apart from its like by ``key``."""
    # the tag keeps these apart from the seeds that a second split derives from its own
    return int(np.random.SeedSequence([seed, *key, 1]).generate_state(1)[0])


def watching(own: Sequence[Signal]) -> list[Signal]:
    """Return signals, and those of every run that are not among them."""
    names = {signal.name for signal in own}
    return [*own, *(make() for name, make in recorded("always").items() if name not in names)]


def one_run(samples: Samples, own: Sequence[Signal], settings: Settings) -> Measured:
    """Train one net on all samples, and return the signals: a detector's own and those of every run."""
    signals = watching(own)
    del own  # which would hold on to them
    vote = OtherLabelVote()
    first = _LOADED_LATE not in sys.modules
    run = memorize(samples, [*signals, vote], settings)
    if first and _LOADED_LATE in sys.modules:
        gc.collect()
    complete = run.interrupt is None
    signal_scores, quarters = {}, {}
    # what a signal gathered is let go of once its scores are there: of millions of samples not all fits beside them
    signals.reverse()
    while signals:
        signal = signals.pop()
        if complete or signal.stage != "final":
            signal_scores[signal.name] = signal.scores()
            if complete:
                _check_finite(signal, signal_scores[signal.name], samples)
        if isinstance(signal, Loss | Margin):
            quarters[signal.name] = signal.quarters()
    attributes = {
        "net_": run.net,
        "n_iter_": len(run.history),
        "train_accuracy_": run.train_accuracy,
        "stop_reason_": run.stop_reason,
        "history_": run.history,
        "seconds_": run.seconds,
        "device_": str(run.device),
        "snapshots_": run.snapshots,
        "signal_quarters_": quarters,
    }
    return Measured(signal_scores, vote.scores().astype(np.int64), attributes, run.interrupt)


def repeated(measure: Callable[[Settings], Measured], n_repeats: int, settings: Settings) -> Measured:
    """Measure several times with seeds of their own, the first with that of the settings, and return the means.

    Where Ctrl-C or an error ends a repeat after the first, those that were complete are kept.
    """
    done: list[Measured] = []
    for repeat in range(n_repeats):
        seed = derived_seed(settings.seed, repeat) if repeat else settings.seed
        try:
            measured = measure(replace(settings, seed=seed, checkpoints=settings.checkpoints.part(f"repeat-{repeat}")))
        except (KeyboardInterrupt, Exception) as error:
            if not done:
                raise
            return _mean(done, error)
        if n_repeats == 1:
            return measured
        if measured.interrupt is not None:
            return _mean(done or [measured], measured.interrupt)
        for earlier in done:
            earlier.attributes.pop("net_", None)  # the last complete one's is kept
        done.append(measured)
    return _mean(done)


def _mean(runs: list[Measured], interrupt: BaseException | None = None) -> Measured:
    """Return the means of several runs' signals, with the last one's net and the first one's suggestions."""
    each = [noted(run.attributes, repeat=repeat) for repeat, run in enumerate(runs)]
    attributes = {**each[-1], **joined(each)}
    if interrupt is not None and "stop_reason_" in attributes:
        attributes["stop_reason_"] = "interrupted"
    if "signal_quarters_" in attributes:
        attributes["signal_quarters_"] = _means([one["signal_quarters_"] for one in each])
    return Measured(_means([run.signal_scores for run in runs]), runs[0].other, attributes, interrupt)


def _means(each: Sequence[dict[str, NDArray[np.float64]]]) -> dict[str, NDArray[np.float64]]:
    return {name: np.mean([one[name] for one in each], axis=0) for name in each[0]}


def noted(attributes: Record, **note: object) -> Record:
    """Return the attributes of a training with a note in every record of its history."""
    return {**attributes, "history_": [{**note, **record} for record in attributes["history_"]]}


def joined(trainings: Sequence[Record]) -> Record:
    """Return the attributes of several trainings that count together: all their epochs, and the lowest accuracy."""
    names = dict.fromkeys(name for one in trainings for name in one["seconds_"])
    return {
        "n_iter_": sum(one["n_iter_"] for one in trainings),
        "train_accuracy_": min(one["train_accuracy_"] for one in trainings),
        "history_": [record for one in trainings for record in one["history_"]],
        "seconds_": {name: sum(one["seconds_"].get(name, 0.0) for one in trainings) for name in names},
    }


def _check_finite(signal: Signal, scores: NDArray[np.float64], samples: Samples) -> None:
    """Raise where a sample that the signal was to see has no finite score."""
    bad = ~np.isfinite(scores)
    if signal.stage == "scoring" and samples.scored is not None:
        bad &= np.isin(np.arange(len(scores)), samples.scored.numpy())
    if not bad.any():
        return
    found = f"{bad.sum()} sample(s) got no finite score of signal {signal.name!r}, the first at index {bad.argmax()}: "
    if signal.stage == "training":
        raise ValueError(
            f"{found}the net's iterator_train never showed them (drop_last, or a sampler that leaves samples out), and "
            "samples that were not trained on can't have been memorized."
        )
    sizes = samples.batch(torch.from_numpy(np.flatnonzero(bad)[:64])).abs().amax(0)
    if sizes.max() > LARGE:
        where = f"column {int(sizes.argmax())} of X" if sizes.ndim == 1 else "X"
        raise ValueError(
            f"{found}{where} holds numbers as large as {sizes.max():.2g}, from which a step leads out of single "
            "precision. Scale X first, by scikit-learn's StandardScaler, say."
        )
    raise ValueError(
        f"{found}the net's gradient at these inputs is NaN or infinite, as that of a square root is at zero. Change "
        "the layer, or leave the samples out."
    )


def measure_unseen(detector: BaseNoiseDetector, samples: Samples) -> Measured:
    """Return the signals of samples that were not trained on, as means over a fitted detector's snapshots."""
    return _measured_on(_snapshots_of(detector), detector, samples)


def measure_by_epoch(
    detector: BaseNoiseDetector, samples: Samples
) -> tuple[NDArray[np.int64], dict[str, NDArray[np.float64]]]:
    """Return the epochs of a fitted detector's snapshots, and the signals on each, shape (n_epochs, n_samples).

    Only signals that are means over all epochs have a value in one.
    """
    snapshots = _snapshots_of(detector)
    each = [_measured_on([one], detector, samples, kind=MeanOverEpochs).signal_scores for one in snapshots]
    return np.array([one.epoch for one in snapshots]), {name: np.array([s[name] for s in each]) for name in each[0]}


def _measured_on(
    snapshots: Sequence[Snapshot], detector: BaseNoiseDetector, samples: Samples, kind: type[object] = object
) -> Measured:
    """Return the signals of a kind, as means over weights that a fitted detector kept."""
    signals = [signal for signal in watching(detector._signals(detector._seed)) if isinstance(signal, kind)]
    vote, shown = OtherLabelVote("scoring"), frozenset(snapshot.epoch for snapshot in snapshots)
    net, device = detector.net_, resolve_device(detector.device)
    plan = Plan(len(samples), len(detector.classes_), net.max_epochs, device, shown)
    measure_on(snapshots, net, samples, [*signals, vote], plan)
    return Measured({s.name: s.scores() for s in signals}, vote.scores().astype(np.int64), {})


def _snapshots_of(detector: BaseNoiseDetector) -> list[Snapshot]:
    """Return the weights that were kept, or raise where there are none or no net to put them in."""
    snapshots: list[Snapshot] = getattr(detector, "snapshots_", [])
    if not snapshots:
        way = (
            f"fit {type(detector).__name__}(keep_snapshots=8), say"
            if "keep_snapshots" in detector.get_params(deep=False)
            else "use a detector that has keep_snapshots, such as CurvatureNoiseDetector"
        )
        raise ValueError(
            "y was passed beside X, which asks for scores of samples that were not fitted. They need weights kept "
            f"during the training, and none are: {way}. For the scores of the training leave y out."
        )
    if not hasattr(detector, "net_"):
        raise ValueError(
            "samples that were not fitted are measured by the net, and this detector was loaded without its net: "
            "load(path, net=...) takes what it was made with."
        )
    return snapshots
