"""A detector's findings in cleanlab's forms: the frame of ``CleanLearning``, and a kind of issue for ``Datalab``.

In cleanlab a quality lies between 0 and 1, and low is bad. Importing this module registers nothing with cleanlab.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from curvdetect.detectors.inputs import fitted_rows
from curvdetect.review.results import fitted_detector


def label_issues(estimator: object, *, index: Sequence[object] | pd.Index | None = None) -> pd.DataFrame:
    """Return what a detector found as ``CleanLearning.get_label_issues`` would; low ``label_quality`` is bad.

    ``CleanLearning(clf).fit(X, codes, label_issues=frame)`` trains a classifier without the flagged samples.

    Parameters
    ----------
    estimator : fitted detector, pipeline or search
        Holds the findings; an estimator without a detector raises TypeError.
    index : array-like of shape (n_samples,), optional
        Index of the frame, such as ``X.index``; by default positions in the training data. Another length raises
        ValueError.

    Returns
    -------
    DataFrame
        A row for each training sample: ``is_label_issue`` (bool: flagged, exactly the top ``q``), ``label_quality``
        (in (0, 1): the share of samples that are more suspect, no probability), ``given_label`` and
        ``predicted_label`` (int: positions in the detector's ``classes_``). The predicted label is the suggested one of
        a flagged sample, and the given one of any other.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from curvdetect import LossDetector, label_issues
    >>> X, y = make_blobs(60, centers=3, random_state=0, cluster_std=0.5)
    >>> detector = LossDetector(q=6, max_epochs=5, stop_at=0.9, device="cpu", random_state=0).fit(X, y)
    >>> issues = label_issues(detector)
    >>> issues.columns.tolist(), int(issues["is_label_issue"].sum())
    (['is_label_issue', 'label_quality', 'given_label', 'predicted_label'], 6)
    """
    detector = fitted_detector(estimator)
    given, flagged = fitted_rows(detector).labels, detector.labels_ == 1
    if index is not None and len(index) != len(given):
        raise ValueError(f"index has {len(index)} entries for {len(given)} samples.")
    suggested = np.searchsorted(detector.classes_, detector.suggested_labels_)
    columns = {
        "is_label_issue": flagged,
        "label_quality": detector.label_quality(),
        "given_label": given,
        "predicted_label": np.where(flagged, suggested, given),
    }
    return pd.DataFrame(columns, index=None if index is None else pd.Index(index))


def register_with_datalab() -> None:
    """Let ``Datalab.find_issues`` of cleanlab know the issue ``"curvature"``; a low score is bad.

    Afterwards, in this process, ``lab.find_issues(issue_types={"curvature": {...}})`` fits a detector. It takes:

    - ``features``: the samples, as `CurvatureNoiseDetector.fit` takes them; by default the columns of the lab beside
      its label. cleanlab hands the ``features`` of ``find_issues`` to its own kinds of issue only.
    - ``detector``: any detector of wrong labels, or a pipeline that ends with one; by default a
      `CurvatureNoiseDetector`. A copy of it is fitted, unless it was fitted on the labels of the lab already.
    - the parameters of that detector: ``q``, ``h``, ``n``, ``max_epochs``, ``device``, ``random_state``, ....

    The lab then has the columns ``is_curvature_issue`` and ``curvature_score``, a summary, and in
    ``lab.get_info("curvature")`` the labels and the fitted ``detector``. Wrong parameters are refused at once; where
    the fit fails, cleanlab prints the message and goes on. Calling this again changes nothing. ImportError is raised
    where Datalab's requirements are not installed.

    Examples
    --------
    >>> from cleanlab import Datalab
    >>> from sklearn.datasets import make_blobs
    >>> from curvdetect import register_with_datalab
    >>> register_with_datalab()
    >>> X, y = make_blobs(60, centers=3, random_state=0, cluster_std=0.5)
    >>> lab = Datalab({"X": X, "y": y}, label_name="y", verbosity=0)
    >>> lab.find_issues(issue_types={"curvature": {"q": 6, "max_epochs": 5, "device": "cpu", "random_state": 0}})
    >>> int(lab.get_issues("curvature")["is_curvature_issue"].sum())
    6
    """
    try:
        import cleanlab.datalab.datalab  # noqa: F401 - the rest does without its requirements
        from cleanlab.datalab.internal.issue_manager_factory import REGISTRY, register
        from cleanlab.datalab.internal.task import Task
    except ImportError as error:
        raise ImportError(
            f"Datalab needs more than cleanlab itself installs ({error}). Run: pip install 'cleanlab[datalab]'"
        ) from error
    from curvdetect.review.datalab import CurvatureIssueManager

    if REGISTRY[Task.CLASSIFICATION].get(CurvatureIssueManager.issue_name) is not CurvatureIssueManager:
        register(CurvatureIssueManager)
