"""The rows of the tables: which trainings a method is read off, its scores, and its cost in plain trainings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from curvdetect import fuse, recommended_signals

from .fits import FOLDS, PENALTIES, REPEATS, Fit, caption

Fits = dict[str, Fit]


@dataclass(frozen=True)
class Method:
    """A row of a table."""

    caption: str
    needs: tuple[str, ...]
    score: Callable[[Fits], np.ndarray]
    cost: Callable[[Fits], float]
    contrast: bool = False
    """Whether it needs the curvature under a second label."""
    main: bool = False
    """Whether it is in the short table."""
    witnesses: bool = False
    """Whether it needs what says of labels without a training."""
    asked: bool = False
    """Whether it is measured only where it is asked for by name."""


def share(fit: Fit, name: str, of: Fit | None = None) -> float:
    """Return the time that a signal took in units of the training that it watched, or of another one."""
    return fit.seconds[name] / (of or fit).seconds["training"]


def curvature_share(fit: Fit) -> float:
    """Return the same for the curvature: two of the three passes of its contrast, where that was measured for both."""
    return 2 / 3 * share(fit, "curvature_contrast") if "curvature_contrast" in fit.seconds else share(fit, "curvature")


def gradient_share(fit: Fit) -> float:
    """Return the same for the contrast of the clean gradient: one of the contrast's n + 1 points."""
    return share(fit, "curvature_contrast") / (fit.n_probes + 1)


def one_run(name: str, cost: Callable[[Fit], float] | None = None, **options: bool) -> Method:
    """Return the row of a signal of a single run."""

    def extra(fits: Fits) -> float:
        return 1 + (share(fits["one run"], name) if cost is None else cost(fits["one run"]))

    return Method(caption(name), ("one run",), lambda fits: fits["one run"].signals[name], extra, **options)


def split_cost(fit: Fit) -> float:
    """Return the cost of a second split: its four trainings on half of the data are two on all of it."""
    return 2 * (1 + share(fit, "forgetting_time") + share(fit, "forgotten_share") + share(fit, "forgetting_loss"))


def second_split(name: str, caption: str, **options: bool) -> Method:
    """Return the row of a statistic of the second split."""
    return Method(
        caption,
        ("second split",),
        lambda fits: fits["second split"].signals[name],
        lambda fits: split_cost(fits["second split"]),
        **options,
    )


def curv_ssft(caption: str, curvature: str = "curvature", combine: str = "rank_mean", **options: bool) -> Method:
    """Return the row of a combination of curvature and forgetting loss, as `CurvSSFT` makes it."""

    def score(fits: Fits) -> np.ndarray:
        parts = fits["one run"].signals[curvature], fits["second split"].signals["forgetting_loss"]
        if combine == "ssft_first":
            # the statistic with ties to break
            return fuse(fits["second split"].signals["forgetting_time"], parts[0], combine="first")
        if combine == "weighted_ranks":
            return fuse(*parts, combine="rank_mean", weights=(1 / 3, 2 / 3))
        return fuse(*parts, combine=combine)

    def cost(fits: Fits) -> float:
        one = fits["one run"]
        extra = share(one, "curvature_contrast") if curvature == "curvature_contrast" else curvature_share(one)
        return 1 + extra + split_cost(fits["second split"])

    return Method(caption, ("one run", "second split"), score, cost, contrast="contrast" in curvature, **options)


def curv_ssft_shared(caption: str, curvature: str) -> Method:
    """Return the row of `CurvSSFT` with the curvature measured during the first stages."""

    def score(fits: Fits) -> np.ndarray:
        signals = fits["second split"].signals
        return fuse(signals[curvature], signals["forgetting_loss"], combine="rank_mean")

    def cost(fits: Fits) -> float:
        fit = fits["second split"]
        extra = share(fit, "curvature_contrast") if curvature == "curvature_contrast" else curvature_share(fit)
        return split_cost(fit) + 2 * extra

    return Method(caption, ("second split",), score, cost, contrast="contrast" in curvature)


def fused(caption: str, *names: str, weights: tuple[float, ...] | None = None) -> Method:
    """Return the row of Fisher's combination of signals of one run."""

    def cost(fits: Fits) -> float:
        return 1 + (share(fits["one run"], "curvature_contrast") if "curvature_contrast" in names else 0)

    return Method(
        caption,
        ("one run",),
        lambda fits: fuse(*(fits["one run"].signals[name] for name in names), weights=weights),
        cost,
        contrast="curvature_contrast" in names,
    )


def recommended(fits: Fits) -> np.ndarray:
    """Return the ranking by the signals that are recommended of a training alone."""
    fit = fits["one run"]
    weights = recommended_signals(fit.train_accuracy, augmented=fit.augmented)
    return fuse(*(fit.signals[name] for name in weights), weights=list(weights.values()))


def witnesses_share(fit: Fit) -> float:
    """Return the time that was taken by what `FusedDetector` takes beside a training."""
    return sum(share(fit, name) for name in ("leave_one_out", "out_of_bag") if name in fit.seconds)


def confident(name: str, caption: str, **options: bool) -> Method:
    """Return the row of one of cleanlab's scores.

    Its cost is counted, k trainings on (k - 1)/k of the data: timed on its own, minutes apart from the plain training,
    it would measure what else the machine had to do.
    """
    return Method(
        caption,
        ("cross-validation",),
        lambda fits: fits["cross-validation"].signals[name],
        lambda fits: FOLDS - 1,
        **options,
    )


def regression(C: str, caption: str, **options: bool) -> Method:
    """Return the row of cleanlab's quality by a logistic regression; its time is the mean of all penalties."""
    return Method(
        caption,
        ("one run", "regression"),
        lambda fits: fits["regression"].signals[f"regression/{C}"],
        lambda fits: share(fits["regression"], "regression", of=fits["one run"]) / len(PENALTIES),
        asked=True,
        **options,
    )


#: What `FusedDetector` fuses: one of the two losses, and the regression.
FUSED = ("loss", "late_loss", "leave_one_out")

METHODS: dict[str, Method] = {
    "curvature": one_run("curvature", curvature_share, main=True),
    "curvature_contrast": one_run("curvature_contrast", contrast=True, main=True),
    "input_gradient": one_run("input_gradient", main=True),
    "gradient_contrast": one_run("gradient_contrast", gradient_share, contrast=True),
    "loss": one_run("loss", main=True),
    "margin": one_run("margin", main=True),
    "averaged_margin": one_run("averaged_margin"),
    "early_margin": one_run("early_margin", lambda fit: share(fit, "margin")),
    "late_loss": one_run("late_loss"),
    "final_loss": one_run("final_loss"),
    "learning_time": one_run("learning_time", main=True),
    "inconfidence": one_run("inconfidence", main=True),
    "fused_auto": Method("Recommended for one training", ("one run",), recommended, lambda fits: 1.0, main=True),
    "leave_one_out": Method(
        caption("leave_one_out"),
        ("one run",),
        lambda fits: fits["one run"].signals["leave_one_out"],
        lambda fits: share(fits["one run"], "leave_one_out"),
        main=True,
        witnesses=True,
        asked=True,
    ),
    "fused": Method(
        "FusedDetector, this training",
        ("one run",),
        lambda fits: fits["one run"].signals["own"],
        lambda fits: 1 + witnesses_share(fits["one run"]),
        main=True,
        witnesses=True,
        asked=True,
    ),
    "fused_auto_2": Method(
        f"Cumulative loss, {REPEATS} seeds",
        ("two runs",),
        lambda fits: fits["two runs"].signals["own"],
        lambda fits: float(REPEATS),
        main=True,
    ),
    "fused_loss_margin": fused("Fisher: loss, margin", "loss", "margin"),
    "fused_loss_averaged_margin": fused("Fisher: loss, averaged margin", "loss", "averaged_margin"),
    "fused_loss_early_margin": fused("Fisher: 3 loss, early margin", "loss", "early_margin", weights=(3, 1)),
    "fused_late": fused("Fisher: loss, margin, second half", "late_loss", "late_margin"),
    "fused_loss_contrast": fused("Fisher: loss, curvature contrast", "loss", "curvature_contrast"),
    "ssft_time": second_split("forgetting_time", "SSFT, time", main=True),
    "ssft_share": second_split("forgotten_share", "SSFT, share of epochs"),
    "ssft_loss": second_split("forgetting_loss", "SSFT, mean loss", main=True),
    "curv_ssft": curv_ssft("Curv-SSFT", main=True),
    "curv_ssft_contrast": curv_ssft("Curv-SSFT, label contrast", "curvature_contrast", main=True),
    "curv_ssft_first": curv_ssft("Curv-SSFT, SSFT time first", combine="ssft_first"),
    "curv_ssft_weighted": curv_ssft("Curv-SSFT, weighted ranks", combine="weighted_ranks"),
    "curv_ssft_product": curv_ssft("Curv-SSFT, product of ranks", combine="rank_product"),
    "curv_ssft_log": curv_ssft("Curv-SSFT, mean of logarithms", combine="log_mean"),
    "curv_ssft_shared": curv_ssft_shared("Curv-SSFT, shared training", "curvature"),
    "curv_ssft_shared_contrast": curv_ssft_shared("Curv-SSFT, shared, label contrast", "curvature_contrast"),
    "cl_self_confidence": confident("self_confidence", "Confident learning, self-confidence", main=True),
    "cl_normalized_margin": confident("normalized_margin", "Confident learning, normalized margin"),
    "cl_flags": confident("flags", "Confident learning, flags ranked by score"),
    "cl_regression": regression("1", "Confident learning, regression"),
    "cl_regression_penalized": regression("0.001", "Confident learning, regression, C = 0.001", main=True),
}
