"""Trainings too short to memorize anything, without being told so each time."""

from __future__ import annotations

import warnings

from sklearn.exceptions import ConvergenceWarning


def quietly() -> warnings.catch_warnings:
    """Return a context without the warning that labels were not memorized; records hold the training accuracy."""
    return warnings.catch_warnings(action="ignore", category=ConvergenceWarning)
