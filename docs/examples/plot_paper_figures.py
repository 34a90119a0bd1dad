"""
Figures of the paper
====================

The figures of Garg, Ravikumar and Roy, `Memorization Through the Lens of Curvature of Loss Function Around Samples
<https://arxiv.org/abs/2307.05831>`_, that show scores, each by the Display that draws its like. On scikit-learn's
digits: pictures of the same kind, not a reproduction of the paper's.
"""

# %%
# One run for all of them: every epoch is scored, as in the paper, a few labels are wrong, and a part of the samples is
# held out. ``keep_snapshots`` keeps the weights on which those are scored.

from sklearn.datasets import load_digits

from curvdetect import CurvatureNoiseDetector, corrupt_labels

X, y = load_digits(return_X_y=True)
X, X_new, y, y_new = X[:1000] / 16, X[1500:] / 16, y[:1000], y[1500:]
pictures = X.reshape(-1, 8, 8)
labels, wrong = corrupt_labels(y, rate=0.01, random_state=0)
detector = CurvatureNoiseDetector(q=0.01, contrast=False, every=1, keep_snapshots=30, random_state=0).fit(X, labels)

# %%
# Figures 1, 4, 11 and 13: the samples of highest curvature
# ---------------------------------------------------------
#
# In the paper a red dot marks members of pairs of one picture under two labels, here labels that are known to be wrong.

from curvdetect import SuspectsDisplay

display = SuspectsDisplay.from_estimator(detector, pictures, k=30, n_columns=10, marked=wrong, show_index=True)

# %%
# Figure 2: the histogram of curvature scores
# -------------------------------------------

from curvdetect import ScoreHistogramDisplay

display = ScoreHistogramDisplay.from_estimator(detector)

# %%
# Figures 5 and 19, left: the same, with wrong labels marked
# ----------------------------------------------------------

display = ScoreHistogramDisplay.from_estimator(detector, noise_mask=wrong)

# %%
# Figures 3, 9, 10 and 12: low and high curvature in each class
# -------------------------------------------------------------

from curvdetect import ExtremesDisplay

display = ExtremesDisplay.from_estimator(detector, pictures, k=8)

# %%
# Figures 6 and 8: loss and curvature while the network trains
# ------------------------------------------------------------
#
# Of the training data, and of samples that it was not trained on.

from curvdetect import TrainingCurveDisplay

display = TrainingCurveDisplay.from_estimator(detector, name="training")
display = TrainingCurveDisplay.from_estimator(detector, X_new, y_new, name="held out", ax=display.ax_)

# %%
# Figures 14 and 15: similarity to memorization, epoch by epoch
# -------------------------------------------------------------
#
# The paper's reference is the memorization of Feldman and Zhang, which takes many trainings. Here it is 1 for wrong
# labels, which can only be memorized, and 0 for the others.

from curvdetect import SimilarityCurveDisplay

display = SimilarityCurveDisplay.from_estimator(detector, wrong.astype(float), X, labels)

# %%
# Figures 16 to 18 and 19, right: samples that were not trained on
# ----------------------------------------------------------------

classes = detector.net_.predict_proba(X_new.astype("float32")).argmax(1)
display = SuspectsDisplay.from_predictions(
    X_new.reshape(-1, 8, 8), y_new, classes, detector.score_samples(X_new, y_new), k=10, n_columns=10
)

# %%
# Figure 7 is left: a decision boundary in the plane, which shows a network and no scores. Displays that the paper has
# no like of are in :doc:`../plots`.
