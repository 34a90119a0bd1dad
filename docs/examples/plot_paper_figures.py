"""
Figures of the paper
====================

The figures of Garg, Ravikumar and Roy, `Memorization Through the Lens of Curvature of Loss Function Around Samples
<https://arxiv.org/abs/2307.05831>`_, that show scores, each by the Display that draws its like. On scikit-learn's
digits: these are pictures of the same kind, not a reproduction of the paper's.
"""

# %%
# One run for all of them: every epoch is scored, as in the paper, and a few labels are wrong.

from sklearn.datasets import load_digits

from curvdetect import CurvatureNoiseDetector, corrupt_labels

X, y = load_digits(return_X_y=True)
X = (X / 16).astype("float32")
pictures = X.reshape(-1, 8, 8)
labels, wrong = corrupt_labels(y, rate=0.01, random_state=0)
detector = CurvatureNoiseDetector(q=0.01, every=1, random_state=0).fit(X, labels)

# %%
# Figures 1, 4, 11 and 13: the samples of highest curvature
# ---------------------------------------------------------

from curvdetect import SuspectsDisplay

display = SuspectsDisplay.from_estimator(detector, pictures, k=30, n_columns=10)

# %%
# Figure 2: the histogram of curvature scores
# -------------------------------------------

from curvdetect import ScoreHistogramDisplay

display = ScoreHistogramDisplay.from_estimator(detector)

# %%
# Figure 5: the same, with wrong labels marked
# --------------------------------------------

display = ScoreHistogramDisplay.from_estimator(detector, noise_mask=wrong)

# %%
# Figures 3, 9, 10 and 12: low and high curvature in each class
# -------------------------------------------------------------

from curvdetect import ExtremesDisplay

display = ExtremesDisplay.from_estimator(detector, pictures, k=8)

# %%
# Figures 6 and 8: loss and curvature while the network trains
# ------------------------------------------------------------

from curvdetect import TrainingCurveDisplay

display = TrainingCurveDisplay.from_estimator(detector)

# %%
# Figure 7 shows decision boundaries, and Figures 16 to 19 more of the kinds above. Displays that the paper has no
# like of are in :doc:`../plots`.
