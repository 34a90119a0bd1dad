"""
Choose h and n
==============

The curvature has a step ``h`` and a number of probes ``n``. A search grades settings by how well they find labels
that are known to be wrong, or, where none are known, labels that it planted itself.
"""

# %%
# One training for all settings
# -----------------------------
#
# Probes change nothing about a training, so that ``CurvatureSearch`` measures every setting while *one* network is
# trained. The curvature of the given label alone, ``contrast=False``, depends on ``h`` most; the contrast with the best
# other label, which is the default, hardly does. First with the mask of what is wrong:

import pandas as pd
from sklearn.datasets import load_digits

from curvdetect import CurvatureNoiseDetector, CurvatureSearch, corrupt_labels

X, y = load_digits(return_X_y=True)
X, y = (X[:400] / 16).astype("float32"), y[:400]
labels, wrong = corrupt_labels(y, rate=0.1, random_state=0)

grid = {"h": [1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 1.0], "n": [1, 2]}
detector = CurvatureNoiseDetector(q=0.1, contrast=False, random_state=0)
known = CurvatureSearch(detector, grid, n_repeats=2).fit(X, labels, noise_mask=wrong)
print(f"{len(known.cv_results_['params'])} settings, {known.n_trainings_} trainings; best: {known.best_params_}")

# %%
# Without a mask
# --------------
#
# Then some are planted in a copy of the labels, which is what is trained on, and the settings are graded by those.
# Those that were wrong before count as right, which lowers all grades alike.

planted = CurvatureSearch(detector, grid, planted_rate=0.05, n_repeats=2, refit=False, random_state=0).fit(X, labels)
print(f"best: {planted.best_params_}")

# %%
# Both, with the spread over the two trainings. What is flat is a plateau, and the best setting on it the best by
# chance.

import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
for ax, search, title in zip(axes, (known, planted), ("known wrong labels", "planted ones"), strict=True):
    table = pd.DataFrame(search.cv_results_)
    for n, rows in table.groupby("param_n"):
        ax.errorbar(
            rows["param_h"].astype(float), rows["mean_test_score"], rows["std_test_score"], capsize=2, label=f"n = {n}"
        )
    ax.set(xscale="log", xlabel="h", title=f"graded by {title}")
axes[0].set_ylabel("ROC AUC")
axes[0].legend()

# %%
# Do the two ways agree? The rank correlation of their grades:

from scipy.stats import spearmanr

grades = [search.cv_results_["mean_test_score"] for search in (known, planted)]
print(f"Spearman {spearmanr(*grades).statistic:.2f}")

# %%
# The search is a fitted detector itself, with the best setting:

known.ranking(5)

# %%
# And before tuning further, a look at what the same run says for nothing:

from curvdetect.metrics import auroc

best = known.best_estimator_
for name in ("curvature", "loss", "margin"):
    print(f"{name:10} ROC AUC {auroc(wrong, best.signal_scores_[name]):.4f}")

# %%
# Any detector, by scikit-learn's own search
# ------------------------------------------
#
# ``PlantedNoise`` makes an estimator of a detector whose score is the grade by planted labels. There is nothing to
# hold out, since a detector judges what it was fitted on: ``InSample`` is the splitter that says so. Settings that
# are too short to memorize anything would warn of it.

import warnings

from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

from curvdetect import InSample, LossDetector, PlantedNoise

warnings.simplefilter("ignore", ConvergenceWarning)
graded = PlantedNoise(LossDetector(random_state=0), rate=0.05, random_state=0)
search = GridSearchCV(
    graded, {"detector__max_epochs": [1, 3, 10, 30]}, cv=InSample(), refit=False, error_score="raise"
).fit(X, labels)
pd.DataFrame(search.cv_results_)[["param_detector__max_epochs", "mean_test_score", "mean_fit_time"]].round(3)

# %%
# Labels that were wrong before count as right, so that even a perfect ranking of all wrong labels would not be graded
# 1, and settings near the top can't be told apart by a grade of one training: ``n_repeats`` plants again. More on all
# of this: :doc:`../choosing-h-and-n`.
