"""
One picture under two labels
============================

The same picture twice in the data, with two labels: at least one of them is wrong, and no ranking of wrong labels says
which two belong together. ``find_conflicting_duplicates`` names the pairs.
"""

# %%
# Pairs that are known
# --------------------
#
# ``conflicting_duplicates`` chooses which samples become pairs. Half of the copies stay exact, the others are changed a
# little, as pictures are that went through another program: moved by a pixel, and brighter.

import numpy as np
from sklearn.datasets import load_digits

from curvdetect import conflicting_duplicates

X, y = load_digits(return_X_y=True)
source, labels, member = conflicting_duplicates(y, rate=0.03, random_state=0)
pictures = (X / 16).astype("float32").reshape(-1, 1, 8, 8)[source]
copies = np.flatnonzero(source != np.arange(len(y)))
changed = copies[::2]
pictures[changed] = np.clip(1.1 * np.roll(pictures[changed], 1, axis=3), 0, 1)
planted = {tuple(sorted(pair)) for pair in zip(copies.tolist(), source[copies].tolist(), strict=True)}
print(f"{len(planted)} pairs among {len(y)} pictures, {len(changed)} of them not exact copies")

# %%
# The table of pairs
# ------------------
#
# Any fitted detector will do; the table is made of the data, the features of its net and the signals of its run. Here a
# small convolutional network, and the curvature beside the loss.

from torch import nn

from curvdetect import CurvatureNoiseDetector, find_conflicting_duplicates, memorizing_net

module = nn.Sequential(
    nn.Conv2d(1, 12, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(192, 256),
    nn.ReLU(),
    nn.Linear(256, 10),
)
detector = CurvatureNoiseDetector(memorizing_net(module), q=len(copies), random_state=0).fit(pictures, labels)
pairs = find_conflicting_duplicates(detector, pictures)
pairs.head(4).round(3)

# %%

pairs["planted"] = [pair in planted for pair in zip(pairs["first"], pairs["second"], strict=True)]
pairs.groupby("kind")["planted"].agg(reported="size", planted="sum")

# %%
# Exact copies come first, then near ones. What was reported without having been planted is worth a look as well:
# mostly, a planted copy under its wrong label beside one more picture that looks like it.

others = pairs[~pairs["planted"]]
with_copy = others["first"].isin(copies) | others["second"].isin(copies)
print(f"{len(others)} pairs that were not planted, {with_copy.sum()} of them with a copy under a wrong label")

# %%

import matplotlib.pyplot as plt

shown = {kind: group.head(4) for kind, group in pairs.groupby("kind")} | {
    "near, the last reported": pairs[pairs["kind"] == "near"].tail(4)
}
figure = plt.figure(figsize=(9, 7), layout="constrained")
for part, (kind, rows) in zip(figure.subfigures(len(shown), 1), shown.items(), strict=True):
    part.suptitle(kind)
    for ax, row in zip(part.subplots(1, 4), rows.itertuples(), strict=False):
        ax.imshow(np.hstack([pictures[row.first, 0], np.zeros((8, 1)), pictures[row.second, 0]]), cmap="gray_r", vmax=1)
        ax.set_title(f"{row.first_label} and {row.second_label}" + ("" if row.planted else ", not planted"), fontsize=9)
        ax.axis("off")

# %%
# What the rankings see of it
# ---------------------------
#
# Could they have been found by a score of wrong labels? Both members of each pair are to be found, exact and changed
# ones apart. A network can't fit one picture under two labels, so that the loss of both members of an *exact* pair
# stays high to the end. A changed copy can be told from its original, and both can be memorized.

import pandas as pd

from curvdetect.metrics import auroc

# the members of one kind of pair, against all samples that are in no pair
alone = ~member
kinds = {"exact": np.setdiff1d(copies, changed), "changed": changed}
pd.DataFrame(
    {
        f"ROC AUC, {kind}": {
            signal: auroc(
                np.r_[np.ones(2 * len(of)), np.zeros(alone.sum())],
                np.r_[scores[of], scores[source[of]], scores[alone]],
            )
            for signal, scores in detector.signal_scores_.items()
        }
        for kind, of in kinds.items()
    }
).round(3)

# %%
# ``inconfidence`` is measured at the end of the training. On larger data, and under augmentation, the same comparison
# is in :doc:`../duplicates`.
