#!/usr/bin/env bash
# A guess: the classes of a .ts file come back as save_to_ts_file wrote them.
# load_from_ts_file makes each line lower case and then writes NaN for every "nan" and "?" in it, the name of the class
# included: Banana is "baNaNa", "B?" is "bNaN", and T and t are one class. Its meta data has other names again: those
# of the header, in lower case.
# Seen with aeon 1.6.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install -q aeon==1.6.0 scikit-learn==1.9.1 pandas==2.3.3 numpy==2.3.5 scipy==1.17.1

cd "$folder"
bin/python -I - << 'EOF'
from importlib.metadata import version

import numpy as np
from aeon.datasets import load_from_ts_file, save_to_ts_file

print("aeon", version("aeon"))
y = np.array(["Banana", "B?", "T", "t"])
X = np.arange(12.0).reshape(4, 1, 3)
save_to_ts_file(X, y=y, label_type="classification", path=".", problem_name="classes")
with open("classes.ts") as file:
    print(file.read())
found, classes, header = load_from_ts_file("classes.ts", return_meta_data=True)
print(y.tolist(), "became", classes.tolist(), "and", header["class_values"])
assert np.array_equal(found, X)
assert classes.tolist() == ["baNaNa", "bNaN", "t", "t"]
assert "banana" in header["class_values"]
EOF
