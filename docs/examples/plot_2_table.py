"""
Clean a table before learning from it
=====================================

A DataFrame whose labels are words, a pipeline that scales its columns, and the question that matters in the end: is a
classifier better for leaving out what was flagged?
"""

# sphinx_gallery_thumbnail_number = 3

# %%
# The data
# --------
#
# Thirty measurements of each of some hundred tumours, benign or malignant. A part is set aside with its right labels;
# in the rest some labels are replaced.

from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from curvdetect import corrupt_labels

data = load_breast_cancer(as_frame=True)
X, y = data.data, data.target.map(dict(enumerate(data.target_names)))
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
labels, wrong = corrupt_labels(y_train, rate=0.1, random_state=0)
print(f"{wrong.sum()} of {len(labels)} labels are wrong")
X_train.assign(label=labels).iloc[:4, -4:]

# %%
# In a pipeline
# -------------
#
# The detector is the last step. The classifiers below need a ``StandardScaler``; the detector doesn't: it takes each
# column in its own deviation.

from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from curvdetect import CurvatureNoiseDetector

detector = CurvatureNoiseDetector(q=0.1, random_state=0)
pipeline = make_pipeline(StandardScaler(), detector).fit(X_train, labels)
detector.ranking(5)

# %%
# ``index`` is the row of the training table, counted from 0. With the mask of what was replaced the ranking can be
# graded, and so can the cheaper signals of the same run:

from curvdetect.metrics import auroc

for name, scores in sorted(detector.signal_scores_.items(), key=lambda item: -auroc(wrong, item[1])):
    print(f"{name:18} ROC AUC {auroc(wrong, scores):.3f}")

# %%

from curvdetect import DetectionCurveDisplay

display = DetectionCurveDisplay.from_estimator(pipeline, wrong)
for signal in ("loss", "margin"):
    DetectionCurveDisplay.from_estimator(pipeline, wrong, signal=signal, ax=display.ax_)

# %%
# Which labels were mixed up, by what is flagged:

from curvdetect import LabelConfusionDisplay

display = LabelConfusionDisplay.from_estimator(pipeline)

# %%
# Is a classifier better for it?
# ------------------------------
#
# ``fit_resample`` fits and returns the samples that are not flagged (in a pipeline of imbalanced-learn's the detector
# is a step of this kind, see :doc:`../in-a-pipeline`). ``FusedDetector`` takes the signal that is recommended for its
# run. Each classifier learns from all labels, from those that were kept, and, as the best that could be hoped for,
# from the right labels; it is tested on what was set aside. Three times, with other labels wrong each time.

import warnings

import pandas as pd
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from curvdetect import FusedDetector

warnings.simplefilter("ignore", ConvergenceWarning)  # of runs that leave the last few labels unlearned

classifiers = {
    "one neighbour": KNeighborsClassifier(1),
    "tree": DecisionTreeClassifier(random_state=0),
    "15 neighbours": KNeighborsClassifier(15),
    "logistic regression": LogisticRegression(),
}
scaler = StandardScaler().fit(X_train)
Z_train, Z_test = scaler.transform(X_train), scaler.transform(X_test)
accuracies = []
for seed in range(3):
    labels, wrong = corrupt_labels(y_train, rate=0.1, random_state=seed)
    learned_from = {
        "all labels": (Z_train, labels),
        "what was kept": FusedDetector(q=0.1, random_state=seed).fit_resample(Z_train, labels),
        "right labels": (Z_train, y_train),
    }
    for name, classifier in classifiers.items():
        accuracies += [
            {"classifier": name, "from": source, "accuracy": clone(classifier).fit(*train).score(Z_test, y_test)}
            for source, train in learned_from.items()
        ]
accuracies = pd.DataFrame(accuracies).pivot_table("accuracy", "classifier", "from", aggfunc=["mean", "std"], sort=False)
accuracies["mean"].round(3)

# %%

ax = accuracies["mean"].plot.bar(
    yerr=accuracies["std"],
    rot=0,
    figsize=(8, 4),
    ylabel="accuracy on the test set",
    xlabel="",
    capsize=2,
    ylim=(0.7, 1.06),
)
ax.legend(title="learned from", loc="upper center", ncols=3)
ax.figure.tight_layout()

# %%
# What was gained is the distance from the first bar to the second:

gain = accuracies["mean"]["what was kept"] - accuracies["mean"]["all labels"]
for name, points in gain.items():
    print(
        f"{name:20} {100 * points:+.1f} points (standard deviation over the noise before cleaning: "
        f"{100 * accuracies['std'].loc[name, 'all labels']:.1f})"
    )

# %%
# A single neighbour and a full-grown tree believe every label, and gain most by far. What averages over many samples
# has little to gain; and right samples that were flagged are lost to all of them: look at ``ranking()`` before you
# drop what it lists.
