#!/usr/bin/env bash
# A guess: shuffle_labels(y, n=100) exchanges 100 of the labels among their samples.
# It writes the positions of other samples there: labels from 0 to 1 become whole numbers up to 9,993, which any method
# that looks for wrong labels finds. flip_labels, for classes, does what it says.
# Seen with doubtlab 0.2.4.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install -q doubtlab==0.2.4 cleanlab==2.9.0 scikit-learn==1.9.1 pandas==3.1.1 numpy==2.4.6

"$folder/bin/python" -I - << 'EOF'
from importlib.metadata import version

import numpy as np
from doubtlab.benchmark import flip_labels, shuffle_labels

print("doubtlab", version("doubtlab"))
y = np.random.default_rng(0).uniform(size=10_000)
shuffled, changed = shuffle_labels(y, n=100)
wrong = shuffled[changed == 1]
print("labels before:", y.min(), "to", y.max(), "- changed ones:", sorted(wrong)[:3], "to", wrong.max())
assert changed.sum() == 100
assert not np.isin(wrong, y).any()
assert set(wrong) == set(np.flatnonzero(changed))  # the positions of the samples themselves

classes = np.array(["cat", "dog"])[(y > 0.5).astype(int)]
flipped, changed = flip_labels(classes, n=100)
print("flip_labels:", np.unique(flipped[changed == 1]).tolist())
assert changed.sum() == 100 and set(flipped) == {"cat", "dog"}
EOF
