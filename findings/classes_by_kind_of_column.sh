#!/usr/bin/env bash
# A guess: Datalab takes the columns of pred_probs in one order of the classes, whatever holds the labels.
# Text is sorted, and the ClassLabel of a dataset keeps the order of its names: the same labels with the same
# probabilities have no issue as a ClassLabel, and 190 of 300 as text.
# Seen with cleanlab 2.9.0 and datasets 5.2.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install -q cleanlab==2.9.0 datasets==5.2.0 scikit-learn==1.9.1 pandas==3.1.1 numpy==2.4.6

"$folder/bin/python" -I - << 'EOF'
from importlib.metadata import version

import numpy as np
from cleanlab import Datalab
from datasets import ClassLabel, Dataset, Features

print("cleanlab", version("cleanlab"), "datasets", version("datasets"))
names = ["positive", "neutral", "negative"]
codes = np.repeat([0, 1, 2], [150, 90, 60])
pred_probs = np.full((300, 3), 0.05)
pred_probs[np.arange(300), codes] = 0.9  # in the order of the names, each label the most probable


def issues(data):
    lab = Datalab(data, label_name="label", verbosity=0)
    lab.find_issues(pred_probs=pred_probs, issue_types={"label": {}})
    found = int(lab.get_issues("label")["is_label_issue"].sum())
    print([str(name) for name in lab.class_names], "issues:", found)
    return found


assert issues(Dataset.from_dict({"label": codes.tolist()}, features=Features({"label": ClassLabel(names=names)}))) == 0
assert issues({"label": [names[code] for code in codes]}) == 190
EOF
