"""
A skorch net of your own
========================

The network that memorizes may be yours: any classifier in torch, with the optimizer, the schedule and the callbacks
that you would train it with.
"""

# sphinx_gallery_thumbnail_number = 2

# %%
# The network
# -----------
#
# Pictures go in as pixels in [0, 1], so that the step ``h`` of the curvature is in pixels; what standardizes them
# belongs *into* the module. BatchNorm is no trouble: what is scored is scored in evaluation mode.

import torch
from sklearn.datasets import load_digits
from torch import nn

from curvdetect import corrupt_labels

X, y = load_digits(return_X_y=True)
X, y = (X[:1000] / 16).astype("float32").reshape(-1, 1, 8, 8), y[:1000]
labels, wrong = corrupt_labels(y, rate=0.1, random_state=0)


class Net(nn.Module):
    """Two convolutions, with the statistics of the pixels inside."""

    def __init__(self, mean=0.0, std=1.0, width=8):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("std", torch.tensor(std))
        self.layers = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * width, 256),
            nn.ReLU(),
            nn.Linear(256, 10),
        )

    def forward(self, X):
        return self.layers((X - self.mean) / self.std)


# %%
# Around it, skorch
# -----------------
#
# ``train_split=None``: every sample is trained on, since every one is to be judged. The criterion takes the logits that
# the module returns. Callbacks are called as ever; there being no held-out data, they have the training loss to go by.

from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, LRScheduler


class LearningRates(Callback):
    """Note the learning rate of each epoch."""

    def on_epoch_end(self, net, **kwargs):
        net.history.record("rate", net.optimizer_.param_groups[0]["lr"])


net = NeuralNetClassifier(
    Net,
    module__mean=float(X.mean()),
    module__std=float(X.std()),
    criterion=nn.CrossEntropyLoss,
    optimizer=torch.optim.AdamW,
    lr=0.003,
    max_epochs=30,
    batch_size=64,
    train_split=None,
    iterator_train__shuffle=True,
    callbacks=[LRScheduler("CosineAnnealingLR", T_max=30), LearningRates()],
    verbose=0,
)

# %%
# The detector
# ------------
#
# A copy of the net is trained; yours is left as it is. Its parameters can be set through the detector.

from curvdetect import CurvatureNoiseDetector
from curvdetect.metrics import auroc

detector = CurvatureNoiseDetector(net, q=0.1, random_state=0)
detector.set_params(net__module__width=12).fit(X, labels)
print(f"training accuracy {detector.train_accuracy_:.3f} after {detector.n_iter_} epochs ({detector.stop_reason_})")
print(f"your net is untrained, as it was: {not net.initialized_}")
for name, scores in detector.signal_scores_.items():
    print(f"{name:18} ROC AUC {auroc(wrong, scores):.4f}")

# %%
# What your callbacks wrote is in the net that was trained, what was measured in ``history_``:

import matplotlib.pyplot as plt

from curvdetect import TrainingCurveDisplay

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
TrainingCurveDisplay.from_estimator(detector, ax=left)
right.plot(range(1, detector.n_iter_ + 1), detector.net_.history[:, "rate"])
right.set(xlabel="Epoch", ylabel="Learning rate")

# %%
# A net that has not memorized
# ----------------------------
#
# The curvature tells how hard a label was to memorize, so that the net has to do it. One that is given a tenth of the
# epochs has not, and a warning says so:

import warnings

from sklearn.exceptions import ConvergenceWarning

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always", ConvergenceWarning)
    hurried = CurvatureNoiseDetector(net, max_epochs=3, q=0.1, random_state=0).fit(X, labels)
for warning in caught:
    print(f"{warning.category.__name__}: {warning.message}")

# %%
# What it costs here. The curves of the losses are nearer to each other than those of the curvature without contrast:
# that one needs the wrong labels to be learned.

from curvdetect import DetectionCurveDisplay

ax = None
for fitted in (detector, hurried):
    for signal in ("curvature", "loss"):
        name = f"{signal}, {fitted.n_iter_} epochs"
        ax = DetectionCurveDisplay.from_estimator(fitted, wrong, signal=signal, name=name, xscale="log", ax=ax).ax_
