"""The one place that measures: signals of a watched training, or of samples that were not trained on.

Those are measured on the weights kept during the training.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from curvdetect.data.rows import digest_of
from curvdetect.data.samples import Samples
from curvdetect.detectors.checks import derive_seed, derived_seed
from curvdetect.signals.dynamics import LearningTime, Loss, Margin, OtherLabelVote
from curvdetect.signals.evaluated import Inconfidence
from curvdetect.signals.signal import MeanOverEpochs, Plan, Signal
from curvdetect.training.checkpoints import NOWHERE, Checkpoints, Snapshot
from curvdetect.training.identity import claim, identity_of
from curvdetect.training.memorize import memorize
from curvdetect.training.ranks import by_first
from curvdetect.training.settings import Settings, resolve_device
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
    attributes: dict[str, Any]
    """Fitted attributes beside those that every detector has."""
    interrupt: BaseException | None = None
    """The Ctrl-C, or the error, that cut the measuring short."""

    def only(self, rows: NDArray[np.int64]) -> Measured:
        """Return the signals of some of the samples."""
        signal_scores = {name: scores[rows] for name, scores in self.signal_scores.items()}
        return replace(self, signal_scores=signal_scores, other=self.other[rows])


def begin(detector: BaseEstimator, samples: Samples, device: torch.device) -> Settings:
    """Return how a detector trains its net on samples, on a device.

    Where it has a ``checkpoint_dir`` that another fit began to fill, that fit is taken up, or refused by name.
    """
    checkpoints, seed = _place_and_seed(detector, samples, device)
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


def _place_and_seed(detector: BaseEstimator, samples: Samples, device: torch.device) -> tuple[Checkpoints, int]:
    """Return where the checkpoints of a fit are kept, and its seed."""
    params = detector.get_params(deep=False)
    seed = derive_seed(params["random_state"])
    directory = params.get("checkpoint_dir")
    if directory is None:
        return NOWHERE, seed
    if not isinstance(directory, str | Path):
        raise ValueError(f"checkpoint_dir must be None or the path of a directory, got {directory!r}.")
    trained = {name: value for name, value in params.items() if name not in _NOT_TRAINED_BY}
    given = params["random_state"]
    identity = {
        "detector": type(detector).__name__,
        **identity_of(trained),
        "device": str(device),
        "random_state": str(given) if given is None or isinstance(given, Integral) else f"a generator at {seed}",
        **digest_of(samples),
    }
    return by_first(lambda: claim(directory, identity, seed=seed))


def watching(own: Sequence[Signal]) -> list[Signal]:
    """Return signals with those that always ride along, where they miss: loss, margin, learning time, inconfidence."""
    names = {s.name for s in own}
    return [*own, *(s for s in (Loss(), Margin(), LearningTime(), Inconfidence()) if s.name not in names)]


def one_run(samples: Samples, own: Sequence[Signal], settings: Settings) -> Measured:
    """Train one net on all samples while signals watch: those asked for, and those that always ride along."""
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
    interrupt: BaseException | None = None
    for repeat in range(n_repeats):
        try:
            seed = settings.seed if repeat == 0 else derived_seed(settings.seed, repeat)
            place = settings.checkpoints.part(f"repeat-{repeat}")
            done.append(measure(replace(settings, seed=seed, checkpoints=place)))
            interrupt = done[-1].interrupt
            for earlier in done[:-1] if interrupt is None else ():
                earlier.attributes.pop("net_", None)  # that of the last complete one is kept
        except (KeyboardInterrupt, Exception) as error:
            if not done:
                raise
            interrupt = error
        if interrupt is not None:
            break
    complete = [measured for measured in done if measured.interrupt is None] or done
    return complete[0] if n_repeats == 1 else _mean(complete, interrupt)


def _mean(runs: list[Measured], interrupt: BaseException | None) -> Measured:
    """Return the means of several runs' signals, with the last one's net and the first one's suggestions."""
    attributes = dict(runs[-1].attributes)
    each = [run.attributes for run in runs]
    attributes["history_"] = [{"repeat": i, **record} for i, a in enumerate(each) for record in a["history_"]]
    attributes["n_iter_"] = sum(a["n_iter_"] for a in each)
    attributes["train_accuracy_"] = min(a["train_accuracy_"] for a in each)
    attributes["seconds_"] = {name: sum(a["seconds_"][name] for a in each) for name in each[0]["seconds_"]}
    if interrupt is not None and "stop_reason_" in attributes:
        attributes["stop_reason_"] = "interrupted"
    if "signal_quarters_" in attributes:
        attributes["signal_quarters_"] = {
            name: np.mean([a["signal_quarters_"][name] for a in each], axis=0) for name in each[0]["signal_quarters_"]
        }
    return Measured(
        {name: np.mean([run.signal_scores[name] for run in runs], axis=0) for name in runs[0].signal_scores},
        runs[0].other,
        attributes,
        interrupt,
    )


def _check_finite(signal: Signal, scores: NDArray[np.float64], samples: Samples) -> None:
    """Raise where a sample that the signal was to see has no finite score."""
    wanted = np.ones(len(scores), dtype=np.bool_)
    if signal.stage == "scoring" and samples.scored is not None:
        wanted[:] = False
        wanted[samples.scored.numpy()] = True
    bad = np.flatnonzero(wanted & ~np.isfinite(scores))
    if not len(bad):
        return
    found = f"{len(bad)} sample(s) got no finite score of signal {signal.name!r}, the first at index {bad[0]}: "
    if signal.stage == "training":
        raise ValueError(
            f"{found}the net's iterator_train never showed them (drop_last, or a sampler that leaves samples out), and "
            "what was not trained on can't have been memorized."
        )
    sizes = samples.batch(torch.from_numpy(bad[:64])).abs().amax(0)
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
    snapshots = _snapshots_of(detector)
    signals, vote = watching(detector._signals(detector._seed)), OtherLabelVote("scoring")
    measure_on(snapshots, detector.net_, samples, [*signals, vote], _plan(detector, samples, snapshots))
    return Measured({s.name: s.scores() for s in signals}, vote.scores().astype(np.int64), {})


def measure_by_epoch(
    detector: BaseNoiseDetector, samples: Samples
) -> tuple[NDArray[np.int64], dict[str, NDArray[np.float64]]]:
    """Return the epochs of a fitted detector's snapshots, and the signals on each, shape (n_epochs, n_samples).

    Only signals that are means over all epochs have a value in one.
    """
    snapshots = _snapshots_of(detector)
    found: dict[str, list[NDArray[np.float64]]] = {}
    for snapshot in snapshots:
        signals = [
            signal for signal in watching(detector._signals(detector._seed)) if isinstance(signal, MeanOverEpochs)
        ]
        measure_on([snapshot], detector.net_, samples, signals, _plan(detector, samples, [snapshot]))
        for signal in signals:
            found.setdefault(signal.name, []).append(signal.scores())
    return np.array([one.epoch for one in snapshots]), {name: np.array(each) for name, each in found.items()}


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


def _plan(detector: BaseNoiseDetector, samples: Samples, snapshots: Sequence[Snapshot]) -> Plan:
    """Return what signals are told of the training that snapshots are of."""
    shown, device = frozenset(snapshot.epoch for snapshot in snapshots), resolve_device(detector.device)
    return Plan(len(samples), len(detector.classes_), detector.net_.max_epochs, device, shown)
