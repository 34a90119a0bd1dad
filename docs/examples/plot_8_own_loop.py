"""
A training loop of your own
===========================

``input_curvature`` is the score of one epoch as a function of a module, samples and labels. Whoever trains by a loop of
their own calls it after an epoch and averages.
"""

# sphinx_gallery_thumbnail_number = 2

# %%
# The loop
# --------
#
# Nothing here is curvdetect's but two lines: the call, which leaves module and gradients as they were, and the sum of
# the losses that a training pass has anyway, for comparison.

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from curvdetect import corrupt_labels, input_curvature

device = "cuda" if torch.cuda.is_available() else "cpu"
X, y = load_digits(return_X_y=True)
X, y = X[:1000], y[:1000]
labels, wrong = corrupt_labels(y, rate=0.1, random_state=0)
inputs = torch.tensor(X / 16, dtype=torch.float32, device=device)
targets = torch.tensor(labels, device=device)

torch.manual_seed(0)
module = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10)).to(device)
n_epochs, n_batches = 50, 16
optimizer = torch.optim.Adam(module.parameters(), lr=0.002)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.002, total_steps=n_epochs * n_batches)

curvatures, losses = [], torch.zeros(n_epochs, len(inputs))
for epoch in range(n_epochs):
    for batch in torch.randperm(len(inputs), device=device).tensor_split(n_batches):
        optimizer.zero_grad()
        loss = F.cross_entropy(module(inputs[batch]), targets[batch], reduction="none")
        loss.mean().backward()
        optimizer.step()
        schedule.step()
        losses[epoch, batch.cpu()] = loss.detach().cpu()
    curvatures.append(input_curvature(module, inputs, targets, h=1e-2, n=1, epoch=epoch).numpy())
curvatures, losses = np.array(curvatures), losses.numpy()

# %%
# ``epoch`` is part of the key of the random probes, so that each epoch has its own, and the same ones in every run.
#
# Epoch by epoch
# --------------
#
# While the network learns what digits have in common, nothing tells the two kinds of label apart but the loss. Then the
# wrong ones are memorized one by one, and the loss bends around them.

import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
epochs = np.arange(1, n_epochs + 1)
for ax, values, name in zip(axes, (curvatures, losses), ("curvature", "loss"), strict=True):
    for mask, label, color in ((wrong, "wrong label", "#d55e00"), (~wrong, "right label", "#0072b2")):
        low, middle, high = np.quantile(values[:, mask], (0.25, 0.5, 0.75), axis=1)
        ax.plot(epochs, middle, color=color, label=f"{label}, median and quartiles")
        ax.fill_between(epochs, low, high, color=color, alpha=0.2)
    ax.set(yscale="log", xlabel="epoch", ylabel=name)
axes[0].legend(fontsize="small")

# %%
# The weights of one epoch say little
# -----------------------------------
#
# The score is the mean over the training. Here no single epoch says as much; on other data one may
# (:doc:`../reproducing-dynamics`), but which one is not known beforehand. So there is no score of a trained network
# alone.

from curvdetect import DetectionCurveDisplay
from curvdetect.metrics import auroc

alone = [auroc(wrong, values) for values in curvatures]
upto = [auroc(wrong, curvatures[: i + 1].mean(axis=0)) for i in range(n_epochs)]
loss_upto = [auroc(wrong, losses[: i + 1].mean(axis=0)) for i in range(n_epochs)]

figure, ax = plt.subplots(figsize=(7, 3.8), layout="constrained")
ax.plot(epochs, alone, "C1:", label="curvature of that epoch alone")
ax.plot(epochs, upto, "C0", label="curvature, mean up to it")
ax.plot(epochs, loss_upto, "C2--", label="loss, mean up to it")
ax.set(xlabel="epoch", ylabel="ROC AUC")
ax.legend()

# %%

print(f"curvature, best epoch alone  ROC AUC {max(alone):.4f}")
print(f"curvature, last epoch alone  ROC AUC {alone[-1]:.4f}")
print(f"curvature, mean of all       ROC AUC {upto[-1]:.4f}")
print(f"loss, mean of all            ROC AUC {loss_upto[-1]:.4f}")

# %%
# The Displays take numbers, whoever computed them:

display = DetectionCurveDisplay.from_predictions(wrong, curvatures.mean(axis=0), name="curvature", kind="precision")
DetectionCurveDisplay.from_predictions(wrong, losses.mean(axis=0), name="loss", kind="precision", ax=display.ax_)

# %%
# What a detector does beyond this: it holds TF32 and autocast off, keeps the random generators where they were, stops
# when the labels are memorized, resumes after a kill, and stores the rest. See :doc:`../how-the-score-works`.
