"""Scores of samples that were not trained on, from the weights kept during the training."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from curvdetect.data.sources import Samples
from curvdetect.detectors.measured import Measured, watching
from curvdetect.signals.signal import Plan
from curvdetect.signals.vote import OtherLabelVote
from curvdetect.training.device import resolve_device
from curvdetect.training.snapshots import measure_on


def measure_unseen(detector: Any, samples: Samples) -> Measured:
    """Return the signals of samples that were not trained on, as means over a fitted detector's snapshots.

    Parameters
    ----------
    detector : BaseNoiseDetector
        Fitted, with snapshots.
    samples : Samples
        What is measured. Labels have to be among those that were fitted.
    """
    snapshots = getattr(detector, "snapshots_", [])
    if not snapshots:
        way = (
            f"fit {type(detector).__name__}(keep_snapshots=8), say"
            if "keep_snapshots" in detector.get_params(deep=False)
            else "use a detector that has keep_snapshots, such as CurvatureNoiseDetector"
        )
        raise ValueError(
            "y was passed beside X, which asks for scores of samples that were not fitted. They need weights kept "
            f"during the training, and none are: {way}. For rows of the training data leave y out."
        )
    if not hasattr(detector, "net_"):
        raise ValueError(
            "samples that were not fitted are measured by the net, and this detector was loaded without its net: "
            "load(path, net=...) takes what it was made with."
        )
    _encode(samples, detector.classes_)
    device = resolve_device(detector.device)
    shown = frozenset(snapshot.epoch for snapshot in snapshots)
    plan = Plan(len(samples), len(detector.classes_), detector.net_.max_epochs, device, shown)
    signals, vote = watching(detector._signals(detector._seed)), OtherLabelVote("scoring")
    measure_on(snapshots, detector.net_, samples, [*signals, vote], plan)
    return Measured({s.name: s.scores() for s in signals}, vote.scores().astype(np.int64), {})


def _encode(samples: Samples, classes: Any) -> None:
    """Give the labels the numbers that they had in the training, or raise where one was not among them."""
    new = [label for label in samples.classes.tolist() if label not in set(classes.tolist())]
    if new:
        raise ValueError(
            f"y holds labels that were not fitted: {new[:5]}. The network knows no others than {classes[:10].tolist()}"
            f"{'...' if len(classes) > 10 else ''}: leave these samples out, or fit on them too."
        )
    codes = np.searchsorted(classes, samples.classes)
    samples.classes, samples.labels = classes, torch.from_numpy(codes)[samples.labels]
