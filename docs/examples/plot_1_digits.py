"""
Find wrong labels
=================

Small pictures of digits, a few of their labels replaced by wrong ones, and a network that has to memorize them all:
which labels did it find hard to take?
"""

# %%
# The data
# --------
#
# A thousand of scikit-learn's digits, pictures of 8 by 8 pixels. ``corrupt_labels`` replaces an exact share of the
# labels in every class and tells which, so that everything below can be graded.

from sklearn.datasets import load_digits

from curvdetect import corrupt_labels

X, y = load_digits(return_X_y=True)
X, y = (X[:1000] / 16).astype("float32"), y[:1000]
labels, wrong = corrupt_labels(y, rate=0.05, random_state=0)
print(f"{wrong.sum()} of {len(labels)} labels are wrong")

# %%
# One training, one ranking
# -------------------------
#
# The detector trains one network on the labels as they are, wrong ones included. Every sample gets a score; the higher,
# the more suspect its label. ``q`` is how many are flagged, here as many as are wrong.

from curvdetect import CurvatureNoiseDetector

beside = ("input_gradient", "averaged_margin")
detector = CurvatureNoiseDetector(q=int(wrong.sum()), signals=beside, random_state=0).fit(X, labels)
detector.ranking(5)

# %%
# ``suggested`` is the best other label. The most suspect to look at, with the given label and the suggested one:

from curvdetect import SuspectsDisplay

display = SuspectsDisplay.from_estimator(detector, X.reshape(-1, 8, 8), k=24, n_columns=8)

# %%
# How well were they found?
# -------------------------
#
# Right labels are bars, wrong ones crosses. The dashed line is where flags begin: a cross to the left of it was
# missed, and what is to the right of it without being one was flagged for nothing.

from curvdetect import ScoreHistogramDisplay

display = ScoreHistogramDisplay.from_estimator(detector, noise_mask=wrong)

# %%

found = wrong[detector.labels_ == 1]
print(f"{found.sum()} of the {len(found)} flagged labels are wrong; ROC AUC {detector.score(noise_mask=wrong):.4f}")

# %%
# The other signals of the same run
# ---------------------------------
#
# The detector ranks by the contrast of the curvature: that of the given label against that of the best other one. This
# is not all that can be seen while a network memorizes; the rest is recorded beside it. All of these come from the one
# training above, and all of them are higher for the more suspect.

import pandas as pd

from curvdetect.metrics import auroc, average_precision, fnr_at_noise_rate

grades = {"ROC AUC": auroc, "average precision": average_precision, "share missed": fnr_at_noise_rate}
table = pd.DataFrame(
    {
        name: [grade(wrong, scores) for name, scores in detector.signal_scores_.items()]
        for name, grade in grades.items()
    },
    index=list(detector.signal_scores_),
)
table = table.sort_values("average precision", ascending=False)
table.round(4)

# %%

ahead = table.index[table["average precision"] > table.loc["curvature_contrast", "average precision"]]
print(f"ahead of the contrast of the curvature here: {', '.join(ahead) or 'none'}")

# %%
# The loss costs nothing beyond the training, and where it is ahead that is no accident of these data:
# :doc:`../detectors` has the same comparison on others, and says what each signal is good for. The share of wrong
# labels among the k most suspect, by five of the signals:

from curvdetect import DetectionCurveDisplay

ax = None
for name in ("loss", "margin", "input_gradient", "curvature_contrast", "learning_time"):
    ax = DetectionCurveDisplay.from_estimator(detector, wrong, signal=name, kind="precision", ax=ax).ax_
