#!/usr/bin/env bash
# A guess: a cast to a ClassLabel with the same names in another order keeps the name of each label.
# It keeps the code: cat becomes dog and dog becomes cat, without a word, by cast_column, by cast and by reading
# Parquet with features. The error of concatenate_datasets, which asks for equal features, leads there.
# align_labels_with_mapping keeps the names.
# Seen with datasets 5.2.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install -q datasets==5.2.0 pandas==3.1.1 pyarrow==26.0.1 numpy==2.4.6

cd "$folder"
export HF_HOME="$folder/cache" HF_HUB_OFFLINE=1
bin/python -I - << 'EOF'
import warnings
from importlib.metadata import version

import datasets
from datasets import ClassLabel, Dataset, Features, concatenate_datasets

print("datasets", version("datasets"))
datasets.disable_progress_bars()
warnings.simplefilter("error", UserWarning)
ours, theirs = ClassLabel(names=["cat", "dog"]), ClassLabel(names=["dog", "cat"])
given = ["cat", "dog", "dog"]
mine = Dataset.from_dict({"label": given}).cast_column("label", ours)
other = Dataset.from_dict({"label": given}).cast_column("label", theirs)


def names(dataset):
    return [dataset.features["label"].int2str(code) for code in dataset["label"]]


assert names(mine) == names(other) == given
try:
    concatenate_datasets([mine, other])
except ValueError as error:
    print("concatenate_datasets:", error)
else:
    raise AssertionError
mine.to_parquet("mine.parquet")
exchanged = {
    "cast_column": mine.cast_column("label", theirs),
    "cast": mine.cast(other.features),
    "from_parquet": Dataset.from_parquet("mine.parquet", features=Features({"label": theirs})),
}
for way, dataset in exchanged.items():
    print(f"{way}: {given} became {names(dataset)}")
    assert names(dataset) == ["dog", "cat", "cat"]
kept = mine.align_labels_with_mapping({"dog": 0, "cat": 1}, "label")
print("align_labels_with_mapping:", names(kept))
assert names(kept) == given
assert names(concatenate_datasets([kept, other])) == given * 2
EOF
