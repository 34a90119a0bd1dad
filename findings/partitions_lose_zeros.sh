#!/usr/bin/env bash
# A guess: a frame that to_parquet wrote with partition_cols=["label"] comes back from read_parquet with its labels.
# Text that looks like whole numbers comes back as numbers: "007" as 7, since the folders' names are all that is kept.
# If the whole column looks so, that is; one label that does not keeps all of them text. Where two labels are one number
# ("7", "007"), read_parquet raises "Categorical categories must be unique".
# A schema for the partitions keeps the text.
# Seen with pandas 3.1.1 and pyarrow 26.0.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install -q pandas==3.1.1 pyarrow==26.0.1 numpy==2.4.6

cd "$folder"
bin/python -I - << 'EOF'
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds

print("pandas", pd.__version__, "pyarrow", pa.__version__)


def read_back(labels, name, **options):
    pd.DataFrame({"x": range(len(labels)), "label": labels}).to_parquet(name, partition_cols=["label"])
    try:
        found = pd.read_parquet(name, **options).sort_values("x")["label"].tolist()
    except ValueError as error:
        found = str(error)
    print(labels, "->", found)
    return found


assert read_back(["007", "008", "010"], "whole") == [7, 8, 10]
assert read_back(["007", "008", "x"], "mixed") == ["007", "008", "x"]
assert read_back(["7", "007"], "equal") == "Categorical categories must be unique"
text = ds.partitioning(pa.schema([("label", pa.string())]), flavor="hive")
assert read_back(["7", "007"], "schema", partitioning=text) == ["7", "007"]
EOF
