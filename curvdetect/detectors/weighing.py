"""How long a training lasts beside witnesses that train nothing, and how much it counts among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from curvdetect.data.samples import Samples
from curvdetect.data.types import Record
from curvdetect.training.doubts import APART, fell_after
from curvdetect.training.recipe import memorizing_net
from curvdetect.training.settings import Settings

#: Pictures up to which, and from which on, a training that ends early lasts so many epochs; in between, between.
PICTURES, EPOCHS = (3000, 5000), (20, 8)
#: Epochs of one on rows, of one on many, and its learning rate.
EPOCHS_OF_ROWS, EPOCHS_OF_MANY, LR_OF_ROWS = 12, 15, 0.2
#: Training accuracy from which on the labels count as memorized, for the choice of signals.
LISTEN_TO_ALL = 0.9
#: Weights of a training that has memorized, and of one that ends early, where the mean weight of the witnesses is 1.
MEMORIZED, ENDED_EARLY = 1.5, 1.0
#: Weight of one that ends early and has not memorized, of pictures; and the training accuracy from which on it may have
#: memorized wrong labels, of which its last epochs then say nothing.
NOT_YET, MAY_HAVE = 0.6, 0.95
#: How much more a training that has not memorized counts for each further share of the labels that it predicts, and the
#: least and the most that it counts.
FOR_KNOWING, LEAST, MOST = 20.0, 0.1, 5.0
#: The same for a training that ends early: on rows, and on pictures for how many times fewer labels it misses, of which
#: a little may be memory. It counts at most so much, and on pictures no more than there are times 5,000 of them.
FOR_KNOWING_ROWS, FOR_KNOWING_PICTURES, FROM_MEMORY = 60.0, 2.0, 0.05
MOST_OF_EARLY = 8.0
#: Samples of which a training that ends early has memorized few.
MANY = 5000


def ending_early(settings: Settings, samples: Samples) -> Settings:
    """Return settings of a training that has told, when it ends, most of what it tells beside witnesses."""
    if len(samples.shape) == 1:
        epochs = EPOCHS_OF_ROWS if len(samples) < MANY else EPOCHS_OF_MANY
        return replace(settings, net=memorizing_net(None, lr=LR_OF_ROWS), max_epochs=epochs, memorizes=False)
    epochs = round(float(np.interp(len(samples), PICTURES, EPOCHS)))
    return replace(settings, max_epochs=epochs, memorizes=False)


def tells_what_it_knows(samples: Samples, accuracy: float, *, early: bool, pretrained: bool) -> bool:
    """Say whether the accuracy of a training is that of knowledge, rather than of memory."""
    if early and not pretrained:
        return len(samples) >= MANY and (accuracy < LISTEN_TO_ALL or len(samples.shape) > 1)
    return pretrained or accuracy < LISTEN_TO_ALL


def weight_beside_witnesses(
    samples: Samples, accuracy: float, ahead: float | None, *, early: bool, augmented: bool
) -> dict[str, float]:
    """Return the signal of a training beside witnesses, and its weight.

    ``ahead`` is by how large a share more of the labels the net predicts than the witnesses do, None where this says
    nothing.
    """
    if early and len(samples.shape) == 1:
        return {"loss": float(np.clip(ENDED_EARLY + FOR_KNOWING_ROWS * (ahead or 0), ENDED_EARLY, MOST_OF_EARLY))}
    if early:
        least = ENDED_EARLY if accuracy >= LISTEN_TO_ALL else NOT_YET
        fewer = (ahead or 0) / max(1 - accuracy, 1 / len(samples)) - FROM_MEMORY
        most = float(np.clip(len(samples) / MANY, ENDED_EARLY, MOST_OF_EARLY))
        weight = float(np.clip(NOT_YET + FOR_KNOWING_PICTURES * fewer, least, most))
        return {"loss" if accuracy >= MAY_HAVE else "late_loss": weight}
    if ahead is not None:
        return {"late_loss" if augmented else "loss": float(np.clip(1 + FOR_KNOWING * ahead, LEAST, MOST))}
    return {"loss": MEMORIZED}


def regime_of(train_accuracy: float, fallen: bool) -> str:
    """Return whether the labels were ``"memorized"``, or ``"underfit"``, or the training is ``"fallen"`` apart."""
    return "fallen" if fallen else "memorized" if train_accuracy >= LISTEN_TO_ALL else "underfit"


def has_fallen(history: Sequence[Record]) -> bool:
    """Say whether one of the trainings whose epochs are recorded fell apart."""
    trainings: dict[int, list[Record]] = {}
    for record in history:
        trainings.setdefault(record.get("repeat", 0), []).append(record)
    return any(fell_after(one, APART) is not None for one in trainings.values())
