"""Scores of samples that were not trained on, from the weights kept during the training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curvdetect.data.samples import Samples
from curvdetect.detectors.measured import Measured, watching
from curvdetect.signals.dynamics import OtherLabelVote
from curvdetect.signals.signal import MeanOverEpochs, Plan
from curvdetect.training.device import resolve_device
from curvdetect.training.snapshots import Snapshot, measure_on


def measure_unseen(detector: Any, samples: Samples) -> Measured:
    """Return the signals of samples that were not trained on, as means over a fitted detector's snapshots.

    Parameters
    ----------
    detector : BaseNoiseDetector
        Fitted, with snapshots.
    samples : Samples
        What is measured, with the detector's numbers of classes.
    """
    snapshots = _snapshots_of(detector)
    signals, vote = watching(detector._signals(detector._seed)), OtherLabelVote("scoring")
    measure_on(snapshots, detector.net_, samples, [*signals, vote], _plan(detector, samples, snapshots))
    return Measured({s.name: s.scores() for s in signals}, vote.scores().astype(np.int64), {})


def measure_by_epoch(detector: Any, samples: Samples) -> tuple[NDArray[np.int64], dict[str, NDArray[np.float64]]]:
    """Return the epochs of a fitted detector's snapshots, and the signals on each, shape (n_epochs, n_samples).

    Of the signals that are means over epochs; what tells of the whole training, or a part of it, has no value in one.

    Parameters
    ----------
    detector, samples
        As in `measure_unseen`; samples that were trained on will do as well.
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


def _snapshots_of(detector: Any) -> list[Snapshot]:
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


def _plan(detector: Any, samples: Samples, snapshots: Sequence[Snapshot]) -> Plan:
    """Return what signals are told of the training that snapshots are of."""
    shown, device = frozenset(snapshot.epoch for snapshot in snapshots), resolve_device(detector.device)
    return Plan(len(samples), len(detector.classes_), detector.net_.max_epochs, device, shown)
