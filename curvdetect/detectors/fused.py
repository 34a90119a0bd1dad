"""Several witnesses of each label, and signals of one run or of several, made one ranking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from time import perf_counter
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from curvdetect.data.devices import resolve_device
from curvdetect.data.samples import Samples
from curvdetect.detectors.measured import Measured, repeated
from curvdetect.detectors.parameters import RUNS, Constraints, OneRun, Probing, with_parameters
from curvdetect.detectors.ranking import check_weights, fuse, fusion_rule
from curvdetect.detectors.weighing import (
    LISTEN_TO_ALL,
    ending_early,
    has_fallen,
    regime_of,
    tells_what_it_knows,
    weight_beside_witnesses,
)
from curvdetect.detectors.with_probabilities import TakesProbabilities
from curvdetect.detectors.witnesses import Witness, accuracy_of, automatic, judged, pooled, witness_of
from curvdetect.signals.registry import asked_for, closed_form, curvatures, in_order, is_names, recorded
from curvdetect.signals.signal import Signal
from curvdetect.training.finetuning import FineTuned
from curvdetect.training.settings import Settings

#: Weight of a training beside witnesses from which on it suggests labels too.
KNOWS_MORE = 3.0
#: The signal of probabilities that were passed.
_PASSED = "pred_probs"
#: The signals of ``signals="auto"``, and how much the ranks of each count.
AUTO = {"plain": {"loss": 1.0}, "augmented": {"loss": 1.0, "late_margin": 1.0}, "fallen": {"early_margin": 1.0}}


def recommended_signals(train_accuracy: float, *, augmented: bool = False, fallen: bool = False) -> dict[str, float]:
    """Return the names of the signals of a run that rank wrong labels best, with their weights.

    The choice rests on the experiments in the documentation ("Which detector").

    Parameters
    ----------
    train_accuracy : float
        Share of the given labels that the network predicts after training.
    augmented : bool, default=False
        Whether samples were changed at random as they were trained on: cropped and flipped, say.
    fallen : bool, default=False
        Whether the training accuracy ended below its own highest value, so that late epochs tell nothing.

    Returns
    -------
    dict of float
        The cumulative loss. Where samples were augmented and the accuracy stayed below 0.9, the margin of the second
        half of the planned epochs beside it. After a fall the margin of the first quarter.

    Raises
    ------
    ValueError
        Where ``train_accuracy`` is no share.

    Examples
    --------
    >>> from curvdetect import recommended_signals
    >>> recommended_signals(0.8, augmented=True)
    {'loss': 1.0, 'late_margin': 1.0}
    """
    if not (isinstance(train_accuracy, Real) and 0 <= train_accuracy <= 1):
        raise ValueError(f"train_accuracy must be a share in [0, 1], got {train_accuracy!r}.")
    if fallen:
        return dict(AUTO["fallen"])
    return dict(AUTO["augmented" if augmented and train_accuracy < LISTEN_TO_ALL else "plain"])


@with_parameters
class FusedDetector(Probing, OneRun, TakesProbabilities):
    """Rank samples by several witnesses of their labels at once; higher is more suspect.

    The recommended detector for ranking wrong labels. A network that is trained resists wrong labels for a while; a
    ridge regression and, for rows of numbers, a forest say what all other samples make of a label when its sample is
    left out (`LeaveOneOutDetector`, `OutOfBagDetector`). A model of your own is one more witness, by ``fit(X, y,
    pred_probs=...)``; samples that were not fitted are ranked without it.

    With all defaults the training is not to memorize the labels. It ends when it has told most of what it tells beside
    the witnesses: after 8 epochs of 5,000 pictures or more, up to 20 of 3,000 or fewer, and after 12 epochs of rows, or
    15 of 5,000 or more, at twice the learning rate. A ``net``, ``max_epochs``, ``stop_at``, `TwoViews`, or signals of
    the training that are asked for by name make it as long as its net says. ``seconds_`` has what each part took.

    Parameters
    ----------
    signals : "auto", sequence of str or dict of float, default="auto"
        Names of what to fuse, or a dictionary from names to weights: ``"loss"``, ``"margin"``, ``"learning_time"``,
        ``"inconfidence"``, ``"early_margin"``, ``"late_loss"``, ``"late_margin"``, ``"final_loss"``,
        ``"averaged_margin"``, ``"input_gradient"``, ``"gradient_contrast"``, ``"curvature"``,
        ``"curvature_contrast"``, ``"leave_one_out"``, ``"out_of_bag"``, ``"pred_probs"``. "auto" takes the loss of the
        training and the last three: the forest for rows of numbers, and ``"pred_probs"`` where `fit` got some. Their
        weights are those by which the given labels are most likely with their samples left out, so that a witness that
        knows little counts little. A training of 5,000 samples or more, one of the net's own length that has not
        memorized the labels, and one by `finetuning_net` count the more, the more labels the network knows. The loss is
        that of the second half of the epochs where pictures are augmented and not memorized. A training that fell apart
        counts nothing.
    beside : sequence of str, default=()
        Names of signals to record in ``signal_scores_`` without fusing them, among the same. Those that are not
        recorded anyway make the training as long as its net says.
    combine : "auto", name or callable, default="auto"
        As in `fuse`, which takes no weights for ``"first"`` and callables. "auto" is ``"sum"`` for the witnesses of
        ``signals="auto"``, a sum of log-probabilities, and ``"fisher"`` otherwise. A single signal is ranked as it is.
    n_repeats : int, default=1
        Number of trainings with seeds of their own; signals are averaged over them before they are fused.

    Attributes
    ----------
    regime_ : {"memorized", "underfit", "fallen"}
        Whether the training accuracy, the lowest of the repeats, reached 0.9; "fallen" where it ended more than 0.1
        below its own highest value.
    fused_signals_ : dict of float
        What was fused, with the weight of each.
    suggested_labels_ : array of shape (n_samples,)
        For each sample the best label other than the given one: by the witnesses with its sample left out, or by the
        network's vote where it knows more.
    signal_scores_ : dict of arrays of shape (n_samples,)
        Every signal that was recorded, averaged over the repeats.

    See Also
    --------
    CurvSSFT : Curvature and second-split forgetting, which takes trainings of its own.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from curvdetect import FusedDetector
    >>> X, y = make_blobs(60, centers=3, random_state=0, cluster_std=0.5)
    >>> detector = FusedDetector(max_epochs=10, device="cpu", random_state=0).fit(X, y)
    >>> detector.regime_, list(detector.fused_signals_)
    ('memorized', ['loss', 'leave_one_out', 'out_of_bag'])
    """

    signals: str | Sequence[str] | dict[str, float] = "auto"
    beside: Sequence[str] = ()
    combine: Any = "auto"
    n_repeats: int = 1

    _constraints: ClassVar[Constraints] = {"n_repeats": [RUNS]}

    def _signals(self, seed: int) -> Sequence[Signal]:
        asked, probed = recorded("asked"), recorded("probed")
        known = [*recorded("always"), *asked, *probed, *closed_form()]
        if self._is_auto:
            fused = ["late_loss", "late_margin", "early_margin"]
        elif is_names(self.signals, known) and len(self.signals):
            fused = list(self.signals)
        else:
            raise ValueError(
                "signals must be 'auto', or a sequence (a dictionary, with weights) of names from "
                f"{sorted(known)}, got {self.signals!r}."
            )
        if not is_names(self.beside, known):
            raise ValueError(f"beside must be a sequence of names from {sorted(known)}, got {self.beside!r}.")
        names = dict.fromkeys([*fused, *self.beside])
        measured: list[Signal] = []
        if names.keys() & probed.keys():
            contrast = "curvature_contrast" in names
            measured = curvatures(contrast=contrast, h=self.h, n=self.n, power=self.power, seed=seed)
        return in_order(measured, asked_for([name for name in names if name in asked]))

    def _measure(self, samples: Samples, settings: Settings) -> Measured:
        if self.combine != "auto":
            fusion_rule(self.combine)
        self._signals(settings.seed)  # raises for wrong signals before anything is trained
        weights = {} if self._is_auto else self._asked()
        if isinstance(self.signals, Mapping):
            values = list(self.signals.values())
            if len({*values}) > 1 or not (isinstance(values[0], Real) and 0 < values[0] < np.inf):
                check_weights(values, len(values), self._rule)
        passed = [] if samples.pred_probs is None else [_PASSED]
        wanted = dict.fromkeys([*(automatic(samples) if self._is_auto else weights), *self.beside, *passed])
        witnesses, seconds = {}, {}
        for name in [name for name in wanted if name in closed_form()]:
            started = perf_counter()
            witnesses[name] = witness_of(name, samples, settings.device, settings.seed)
            seconds[name] = perf_counter() - started
        early = self._is_auto and self._leaves_the_length_open and samples.view is None
        if early:
            settings = ending_early(settings, samples)
        measured = repeated(lambda own: super(FusedDetector, self)._measure(samples, own), self.n_repeats, settings)
        found = measured.attributes
        labels = samples.labels.numpy()
        measured.signal_scores |= {name: judged(one.left_out, labels)[0] for name, one in witnesses.items()}
        accuracy, fallen = found["train_accuracy_"], has_fallen(found["history_"])
        augmented = samples.view is not None or bool(getattr(self.net, "iterator_train__augment", False))
        found["_witnesses"] = {name: one for name, one in witnesses.items() if name != _PASSED}
        found["seconds_"] |= seconds
        found["regime_"] = regime_of(accuracy, fallen)
        if self._is_auto:
            said, weights = pooled({name: witnesses[name].left_out for name in automatic(samples)}, labels)
            pretrained = getattr(self.net, "module", None) is FineTuned
            tells = tells_what_it_knows(samples, accuracy, early=early, pretrained=pretrained)
            ahead = accuracy - accuracy_of(said, labels) if tells else None
            own = weight_beside_witnesses(samples, accuracy, ahead, early=early, augmented=augmented and not pretrained)
            weights = weights if fallen else own | weights
            if fallen or max(own.values()) < KNOWS_MORE:
                measured.other = judged(said, labels)[1]
        found["fused_signals_"] = weights
        if fused := {name: witness.left_out for name, witness in witnesses.items() if name in weights}:
            measured.left_out = log_softmax(pooled(fused, labels)[0], axis=1)
        return measured

    @property
    def _is_auto(self) -> bool:
        return isinstance(self.signals, str) and self.signals == "auto"

    @property
    def _leaves_the_length_open(self) -> bool:
        """Say whether nothing was passed that a length of the training belongs to."""
        unset = self.net is None and self.max_epochs is None and self.stop_at is None
        return unset and not set(self.beside) - closed_form() - recorded("always").keys()

    @property
    def _of_any_sample(self) -> dict[str, float]:
        """The signals that were fused, but for probabilities that were passed: of other samples there are none."""
        return {name: weight for name, weight in self.fused_signals_.items() if name != _PASSED}

    @property
    def _rule(self) -> Any:
        """How signals that were passed by name are combined."""
        return "fisher" if self.combine == "auto" else self.combine

    def _asked(self) -> dict[str, float]:
        """Return the signals that were passed by name, with their weights."""
        return dict(self.signals) if isinstance(self.signals, Mapping) else dict.fromkeys(self.signals, 1.0)

    def _score_unseen(self, measured: Measured) -> NDArray[np.float64]:
        """Rank samples that were not fitted among those that were: a rank means nothing by itself."""
        known, weights = self.scored_mask_, self._of_any_sample
        # no others: an interrupted training lacks those that are measured at its end
        both = {name: np.append(self.signal_scores_[name][known], measured.signal_scores[name]) for name in weights}
        together = self._score(Measured(both, measured.other, {"fused_signals_": weights}))
        old, new = np.split(together, [known.sum()])
        if len(weights) == len(self.fused_signals_):
            return new
        # as suspect as those that were fitted and rank there without the probabilities that were passed
        within = np.clip(new, old.min(), old.max())
        found: NDArray[np.float64] = np.interp(within, np.sort(old), np.sort(self.scores_[known])) + new - within
        return found

    def _measure_unseen(self, samples: Samples) -> Measured:
        weights = self._of_any_sample
        if not weights:
            raise ValueError(
                "samples that were not fitted can't be scored by 'pred_probs' alone, which are of those that were. Fit "
                "with signals='auto'."
            )
        named = [name for name in weights if name in closed_form()]
        witnesses: dict[str, Witness] = getattr(self, "_witnesses", {})
        if missing := [name for name in named if name not in witnesses]:
            raise ValueError(
                f"samples that were not fitted need what {missing[0]!r} was fitted with, which the files that this "
                "detector was loaded from do not hold: they are of an earlier version. Fit again."
            )
        device = resolve_device(self.device)
        said = {name: witnesses[name].says(samples, device) for name in named}
        labels = samples.labels.numpy()
        scores = {name: judged(one, labels)[0] for name, one in said.items()}
        if len(said) == len(weights):
            return Measured(scores, judged(next(iter(said.values())), labels)[1], {})
        measured = super()._measure_unseen(samples)
        measured.signal_scores |= scores
        return measured

    def _score(self, measured: Measured) -> NDArray[np.float64]:
        weights: dict[str, float] = measured.attributes["fused_signals_"]
        if len(weights) == 1:
            return fuse(measured.signal_scores[next(iter(weights))])
        unweighted = len(set(weights.values())) == 1
        rule = "sum" if self.combine == "auto" and self._is_auto and weights.keys() & closed_form() else self._rule
        return fuse(
            *(measured.signal_scores[name] for name in weights),
            combine=rule,
            weights=None if unweighted else list(weights.values()),
        )
