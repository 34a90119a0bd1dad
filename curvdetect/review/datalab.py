"""The kind of issue that `register_with_datalab` adds to cleanlab's ``Datalab``.

It is apart from the rest because the import of its base class, which is cleanlab's, takes a while.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd
from cleanlab import Datalab
from cleanlab.datalab.internal.issue_manager import IssueManager
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError

from curvdetect.data.types import Array, Record
from curvdetect.detectors.delegation import last_step, prefix_of
from curvdetect.detectors.inputs import fitted_rows
from curvdetect.detectors.one_signal import CurvatureNoiseDetector
from curvdetect.review.cleanlab import label_issues
from curvdetect.review.results import fitted_detector


class CurvatureIssueManager(IssueManager):
    """Labels that a network had to memorize one by one; a low ``curvature_score`` is bad."""

    description: ClassVar[str] = (
        "Examples whose given label a network had to memorize, rather than learn from the others: the loss bends\n"
        "    sharply around them (or what else the detector listens to says so). Their label may be wrong."
    )
    issue_name: ClassVar[str] = "curvature"
    verbosity_levels: ClassVar[dict[int, list[str]]] = {0: [], 1: [], 2: [], 3: ["num_curvature_issues"]}

    def __init__(self, datalab: Datalab, features: object = None, detector: object = None, **params: object) -> None:
        super().__init__(datalab)
        if not datalab.has_labels:
            raise ValueError(
                "Datalab has no labels, and 'curvature' is about labels. Pass label_name= when it is made."
            )
        self.fitted, self.detector = _detector(detector, params, np.asarray(datalab.labels))
        self.features = None if self.fitted else _features(datalab, features)

    def find_issues(self, **_: object) -> None:
        """Fit the detector, unless it is, and fill ``issues``, ``summary`` and ``info``."""
        if not self.fitted:
            self.detector.fit(self.features, np.asarray(self.datalab.labels))
        found = label_issues(self.detector)
        columns = {f"is_{self.issue_name}_issue": "is_label_issue", self.issue_score_key: "label_quality"}
        self.issues = pd.DataFrame({name: found[own] for name, own in columns.items()})
        self.summary = self.make_summary(score=float(1 - found["is_label_issue"].mean()))
        self.info = self.collect_info(found)

    def collect_info(self, found: pd.DataFrame) -> Record:
        """Return the labels and the detector behind what `label_issues` found."""
        # positions among the classes that occur; a column of Hugging Face's may name others as well
        names = np.array(self.datalab.class_names, dtype=object)[np.unique(self.datalab.labels)]
        labels = {name: names[found[name].to_numpy()].tolist() for name in ("given_label", "predicted_label")}
        return {"num_curvature_issues": int(found["is_label_issue"].sum()), **labels, "detector": self.detector}

    @classmethod
    def report(cls, issues: pd.DataFrame, summary: pd.DataFrame, info: Record, **options: object) -> str:
        """Return the text of the report, with the labels beside the scores."""
        labels = {name: info[name] for name in ("given_label", "predicted_label")}
        rest = {name: value for name, value in info.items() if name not in labels}
        return super().report(issues.assign(**labels), summary, rest, **options)


def _detector(detector: object, params: Record, labels: Array) -> tuple[bool, BaseEstimator]:
    """Return whether a detector is fitted on these labels, and a detector to be fitted, or that one."""
    if detector is None:
        detector = CurvatureNoiseDetector()
    if not isinstance(detector, BaseEstimator) or not hasattr(last_step(detector), "score_samples"):
        raise TypeError(
            "detector must be a detector of wrong labels, such as LossDetector(), or a pipeline that ends with one, "
            f"got {detector!r}."
        )
    try:
        there = fitted_detector(detector, "detector")
    except NotFittedError:
        prefix = prefix_of(detector)
        return False, clone(detector).set_params(**{f"{prefix}{name}": value for name, value in params.items()})
    if params:
        why = f"is fitted, so that {', '.join(sorted(params))} would change nothing"
    elif not np.array_equal(fitted_rows(there).labels, np.unique(labels, return_inverse=True)[1]):
        why = "was fitted on other labels than those of this Datalab"
    else:
        return True, detector
    raise ValueError(f"detector {why}. Pass an unfitted one: sklearn.base.clone(detector).")


def _features(datalab: Datalab, features: object) -> object:
    """Return the samples: those that were passed, or the columns of the lab beside its label."""
    n_samples = len(datalab.labels)
    if features is not None:
        if hasattr(features, "__len__") and len(features) != n_samples:
            raise ValueError(f"features has {len(features)} samples, and the Datalab {n_samples} labels.")
        return features
    data = datalab.data.remove_columns(datalab.label_name)
    if not data.column_names:
        raise ValueError("the Datalab has no column beside its label. Pass features, the samples, to 'curvature'.")
    kinds = {getattr(feature, "dtype", "").rstrip("0123456789") for feature in data.features.values()}
    columns = data.with_format("numpy")
    if kinds <= {"bool", "int", "uint", "float"}:
        return np.column_stack([np.asarray(columns[name]) for name in columns.column_names]).astype(np.float64)
    (name, feature), *others = data.features.items()
    return data if others or type(feature).__name__ == "Image" else np.stack(list(columns[name][:]))
