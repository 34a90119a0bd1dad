#!/usr/bin/env bash
# A guess: AUMCalculator.update takes any batch, the last one of a loader too.
# A batch of one sample raises "'float' object is not iterable", since squeeze() leaves no dimension: 33 samples in
# batches of 32 end the first epoch. drop_last=True hides it, and those samples get no margin.
# Seen with aum 1.0.2 and torch 2.14.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install -q aum==1.0.2 torch==2.14.1 pandas==3.1.1 numpy==2.4.6

cd "$folder"
bin/python -I - << 'EOF'
from importlib.metadata import version

import torch
from aum import AUMCalculator

print("aum", version("aum"), "torch", torch.__version__)
calculator = AUMCalculator("out")
logits, targets = torch.tensor([[1.0, 3.0], [2.0, 0.0]]), torch.tensor([0, 0])
found = {name: record.aum for name, record in calculator.update(logits, targets, ["a", "b"]).items()}
print("two samples:", found)
assert found == {"a": -2.0, "b": 2.0}
try:
    calculator.update(logits[:1], targets[:1], ["a"])
except TypeError as error:
    print("one sample:", error)
    assert "iterable" in str(error)
else:
    raise AssertionError("a batch of one is taken")
EOF
