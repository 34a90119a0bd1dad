"""
With cleanlab
=============

cleanlab judges labels by probabilities for samples that a model was not trained on, a detector by how hard they were to
memorize. Findings go from one to the other, and can be compared.
"""

# %%
# A frame that cleanlab takes
# ---------------------------
#
# ``label_issues`` makes of a fitted detector the frame that ``CleanLearning.get_label_issues`` would return, and
# ``CleanLearning`` trains a classifier without the suspects, skipping the cross-validation.

from cleanlab.classification import CleanLearning
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from curvdetect import FusedDetector, corrupt_labels, label_issues

X, y = load_digits(return_X_y=True)
X, y = (X[:1000] / 16).astype("float32"), y[:1000]
labels, wrong = corrupt_labels(y, rate=0.08, random_state=0)

detector = FusedDetector(q=0.08, random_state=0).fit(X, labels)
issues = label_issues(detector)
issues[wrong].head(5)

# %%

classifier = KNeighborsClassifier(1)
believing = classifier.fit(X, labels).score(X, y)
cleaned = CleanLearning(classifier).fit(X, labels, label_issues=issues).score(X, y)
print(f"right labels predicted by one neighbour: {believing:.3f} from all labels, {cleaned:.3f} without the suspects")

# %%
# Against confident learning
# --------------------------
#
# ``ConfidentLearningDetector`` is cleanlab's method on the same network: five trainings on four fifths of the data
# each. cleanlab decides itself how many labels are issues; ``FusedDetector`` was told, by ``q``.

import pandas as pd

from curvdetect import ConfidentLearningDetector
from curvdetect.metrics import auroc

confident = ConfidentLearningDetector(q=0.08, random_state=0).fit(X, labels)
theirs, ours = confident.label_issues_, detector.labels_ == 1
pd.DataFrame(
    {
        "flagged": [ours.sum(), theirs.sum(), (ours & theirs).sum(), (ours | theirs).sum()],
        "of them wrong": [(mask & wrong).sum() for mask in (ours, theirs, ours & theirs, ours | theirs)],
    },
    index=["FusedDetector", "confident learning", "both", "either"],
)

# %%

for name, fitted in (("FusedDetector", detector), ("confident learning", confident)):
    print(f"{name:20} ROC AUC {auroc(wrong, fitted.scores_):.4f}")

# %%
# Do they agree? Each point is a sample, by its rank under both, the most suspect to the upper right.

import matplotlib.pyplot as plt
from scipy.stats import rankdata

figure, ax = plt.subplots(figsize=(5, 5), layout="constrained")
share = {name: rankdata(fitted.scores_) / len(y) for name, fitted in (("ours", detector), ("theirs", confident))}
for mask, name, color, size in ((~wrong, "right label", "#0072b2", 4), (wrong, "wrong label", "#d55e00", 12)):
    ax.scatter(share["ours"][mask], share["theirs"][mask], s=size, color=color, label=name)
ax.set(xlabel="share of samples less suspect, FusedDetector", ylabel="the same, confident learning")
ax.legend(loc="lower right")

# %%
# An issue for Datalab
# --------------------
#
# ``register_with_datalab`` adds the issue ``"curvature"`` to those that ``Datalab`` looks for. It takes any parameter
# of ``CurvatureNoiseDetector``, or a detector that is fitted already, which costs nothing. Datalab needs Hugging
# Face's datasets, ``pip install "cleanlab[datalab]"``.

from importlib.util import find_spec

from curvdetect import register_with_datalab

if find_spec("datasets"):
    from cleanlab import Datalab

    register_with_datalab()
    lab = Datalab({"X": X, "y": labels}, label_name="y", verbosity=0)
    lab.find_issues(features=X, issue_types={"curvature": {"detector": detector}, "near_duplicate": {}})
    print(lab.get_issue_summary())

# %%
# More: :doc:`../cleanlab`.
