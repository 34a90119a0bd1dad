#!/usr/bin/env bash
# A guess: a check of Datalab that can't be made raises an error, or leaves a mark in what find_issues reports.
# It prints the error and goes on. With ten samples the label check fails, for it wants 11 neighbours: the report ends in
# "0 issues found in the dataset", and the summary leaves "label" out, as if it had not been asked for.
# Seen with cleanlab 2.9.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install -q cleanlab==2.9.0 datasets==5.2.0 scikit-learn==1.9.1 pandas==3.1.1 numpy==2.4.6

"$folder/bin/python" -I - << 'EOF'
import contextlib
import io
from importlib.metadata import version

import numpy as np
from cleanlab import Datalab

print("cleanlab", version("cleanlab"))


def audit(n):
    features, labels = np.arange(2.0 * n).reshape(n, 2), np.arange(n) % 2
    lab = Datalab({"label": labels}, label_name="label")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        lab.find_issues(features=features)
    checked = "label" in set(lab.get_issue_summary()["issue_type"])
    print(f"{n} samples, label in the summary: {checked}\n{printed.getvalue()}")
    return checked, printed.getvalue()


assert audit(30)[0]
checked, printed = audit(10)
assert not checked
assert "Error in label: Expected n_neighbors <= n_samples_fit" in printed
assert "Audit complete. 0 issues found in the dataset." in printed
EOF
