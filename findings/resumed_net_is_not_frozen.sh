#!/usr/bin/env bash
# A guess: a training with Freezer that is taken up from its checkpoint keeps the frozen part frozen.
# Freezer acts at the begin of one epoch, the first by default, and a state holds no requires_grad. A training that was
# stopped after epoch 1 and taken up by LoadInitState trains the part in epoch 2, though Unfreezer waits for epoch 3.
# Nothing is said. The weights are others than without the stop.
# Seen with skorch 1.4.0 and torch 2.14.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install -q skorch==1.4.0 torch==2.14.1 numpy==2.4.6

cd "$folder"
bin/python -I - << 'EOF'
from importlib.metadata import version

import numpy as np
import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import Checkpoint, Freezer, LoadInitState, Unfreezer
from torch import nn

print("skorch", version("skorch"), "torch", torch.__version__)
X = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
y = (X[:, 0] > 0).astype("int64")


def trained(folder, epochs, resume=False):
    """Return a net whose first layer is frozen for two epochs, taken up from its checkpoint or not."""
    torch.manual_seed(0)
    saved = Checkpoint(monitor=None, dirname=folder)
    callbacks = [("freeze", Freezer("0.*")), ("thaw", Unfreezer("0.*", at=3)), ("saved", saved)]
    module = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    return NeuralNetClassifier(
        module,
        criterion=nn.CrossEntropyLoss,
        max_epochs=epochs,
        lr=0.1,
        train_split=None,
        verbose=0,
        callbacks=callbacks + [("load", LoadInitState(saved))] * resume,
    ).fit(X, y)


whole, stopped = trained("whole", 2), trained("parts", 1)
before = stopped.module_[0].weight.detach().clone()
assert torch.equal(whole.module_[0].weight, before), "frozen in both epochs"
resumed = trained("parts", 1, resume=True)
moved = float((resumed.module_[0].weight.detach() - before).abs().max())
print("epochs in the history:", len(resumed.history), "requires_grad:", resumed.module_[0].weight.requires_grad)
print(f"frozen layer moved by {moved:.3f} in epoch 2; without the stop by 0")
assert len(resumed.history) == 2 and moved > 1e-3
EOF
