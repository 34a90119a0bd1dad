"""The kind of issue that ``Datalab`` of cleanlab gets to know by `register_with_datalab`.

Apart from the rest because its base class is cleanlab's, whose import takes a while.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pandas as pd
from cleanlab.datalab.internal.issue_manager import IssueManager
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError

from curvdetect.detectors.curvature import CurvatureNoiseDetector
from curvdetect.detectors.last_step import last_step, prefix_of
from curvdetect.review.cleanlab import label_issues
from curvdetect.review.fitted import fitted_detector


class CurvatureIssueManager(IssueManager):
    """Labels that a network had to memorize one by one; a low ``curvature_score`` is bad.

    Parameters
    ----------
    datalab : Datalab
        With labels, for a classification.
    features, detector, **params
        As in `register_with_datalab`.
    """

    description: ClassVar[str] = (
        "Examples whose given label a network had to memorize, rather than learn from the others: the loss bends\n"
        "    sharply around them (or what else the detector listens to says so). Their label may be wrong."
    )
    issue_name: ClassVar[str] = "curvature"
    verbosity_levels: ClassVar[dict[int, list[str]]] = {0: [], 1: [], 2: [], 3: ["num_curvature_issues"]}

    def __init__(self, datalab: Any, features: Any = None, detector: Any = None, **params: Any) -> None:
        super().__init__(datalab)
        if not datalab.has_labels:
            raise ValueError(
                "Datalab has no labels, and 'curvature' is about labels. Pass label_name= when it is made."
            )
        self.fitted, self.detector = _detector(detector, params, np.asarray(datalab.labels))
        self.features = None if self.fitted else _features(datalab, features)

    def find_issues(self, **_: Any) -> None:
        """Fit the detector, unless it is, and fill ``issues``, ``summary`` and ``info``."""
        if not self.fitted:
            self.detector.fit(self.features, np.asarray(self.datalab.labels))
        found = label_issues(self.detector)
        self.issues = pd.DataFrame(
            {f"is_{self.issue_name}_issue": found["is_label_issue"], self.issue_score_key: found["label_quality"]}
        )
        self.summary = self.make_summary(score=float(1 - found["is_label_issue"].mean()))
        self.info = self.collect_info(found)

    def collect_info(self, found: pd.DataFrame) -> dict[str, Any]:
        """Return what is said beside flags and scores.

        Parameters
        ----------
        found : DataFrame
            Of `label_issues`.
        """
        # positions among the classes that occur; a column of Hugging Face's may name others as well
        names = np.array(self.datalab.class_names, dtype=object)[np.unique(self.datalab.labels)]
        return {
            "num_curvature_issues": int(found["is_label_issue"].sum()),
            "given_label": names[found["given_label"].to_numpy()].tolist(),
            "predicted_label": names[found["predicted_label"].to_numpy()].tolist(),
            "detector": self.detector,
        }

    @classmethod
    def report(cls, issues: pd.DataFrame, summary: pd.DataFrame, info: dict[str, Any], **options: Any) -> str:
        """Return the text of the report, with the labels beside the scores.

        Parameters
        ----------
        issues, summary, info, **options
            As in cleanlab.
        """
        labels = {name: info[name] for name in ("given_label", "predicted_label")}
        rest = {name: value for name, value in info.items() if name not in labels}
        return super().report(issues.assign(**labels), summary, rest, **options)


def _detector(detector: Any, params: dict[str, Any], labels: Any) -> tuple[bool, Any]:
    """Return whether a detector is fitted on these labels, and a detector to be fitted, or that one."""
    if detector is None:
        # set_params rather than the constructor: it names what is no parameter, and what there is
        return False, CurvatureNoiseDetector().set_params(**params)
    if not isinstance(detector, BaseEstimator) or not hasattr(last_step(detector), "score_samples"):
        raise TypeError(
            "detector must be a detector of wrong labels, such as LossDetector(), or a pipeline that ends with one, "
            f"got {detector!r}."
        )
    try:
        there = fitted_detector(detector, "detector")
    except NotFittedError:
        prefix = prefix_of(detector)
        copy = clone(detector)
        return False, copy.set_params(**{f"{prefix}{name}": value for name, value in params.items()})
    if params:
        raise ValueError(
            f"detector is fitted, so that {', '.join(sorted(params))} would change nothing. Pass an unfitted one: "
            "sklearn.base.clone(detector)."
        )
    if not np.array_equal(there._given, np.unique(labels, return_inverse=True)[1]):
        raise ValueError(
            "detector was fitted on other labels than those of this Datalab. Pass an unfitted one: "
            "sklearn.base.clone(detector)."
        )
    return True, detector


def _features(datalab: Any, features: Any) -> Any:
    """Return the samples: those that were passed, or the columns of the lab beside its label."""
    n_samples = len(datalab.labels)
    if features is not None:
        if len(features) != n_samples:
            raise ValueError(f"features has {len(features)} samples, and the Datalab {n_samples} labels.")
        return features
    columns = [name for name in datalab.data.column_names if name != datalab.label_name]
    if not columns:
        raise ValueError("the Datalab has no column beside its label. Pass features, the samples, to 'curvature'.")
    frame = datalab.data.select_columns(columns).with_format("numpy")
    one_number = [name for name in columns if getattr(datalab.data.features[name], "dtype", "") in _NUMBERS]
    if one_number == columns:
        return np.column_stack([np.asarray(frame[name]) for name in columns]).astype(np.float64)
    if len(columns) == 1:
        kind = type(datalab.data.features[columns[0]]).__name__
        return datalab.data.select_columns(columns) if kind == "Image" else np.stack(list(frame[columns[0]][:]))
    return datalab.data.remove_columns(datalab.label_name)


_NUMBERS = {"bool", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))} | {
    f"float{bits}" for bits in (16, 32, 64)
}
