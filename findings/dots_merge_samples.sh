#!/usr/bin/env bash
# A guess: cat.0.jpg, cat.0.cls, cat.1.jpg, cat.1.cls (the names of Dogs vs. Cats) are two samples of a shard.
# WebDataset ends a sample's key at the first dot of the file's name: both are the sample "cat", with the fields
# 0.jpg, 0.cls, 1.jpg and 1.cls. TarWriter writes the key "cat.0" without a word, and reading gives another.
# A dot in the folder's name does no harm; another character in place of the dot keeps samples apart.
# Seen with webdataset 1.0.2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install -q webdataset==1.0.2 numpy==2.4.6 braceexpand==0.1.7 pyyaml==6.0.3

cd "$folder"
bin/python -I - << 'EOF'
import webdataset as wds

print("webdataset", wds.__version__)


def read_back(keys):
    """Return the keys and fields of a shard that was written with one picture and one label for each key."""
    with wds.TarWriter("shard.tar") as shard:
        for number, key in enumerate(keys):
            shard.write({"__key__": key, "jpg": b"picture %d" % number, "cls": b"%d" % number})
    samples = wds.WebDataset("shard.tar", shardshuffle=False)
    found = {s["__key__"]: sorted(field for field in s if not field.startswith("__")) for s in samples}
    print(keys, "->", found)
    return found


assert read_back(["cat.0", "cat.1", "dog.0"]) == {"cat": ["0.cls", "0.jpg", "1.cls", "1.jpg"], "dog": ["0.cls", "0.jpg"]}
assert read_back(["cat_0", "cat_1"]) == {"cat_0": ["cls", "jpg"], "cat_1": ["cls", "jpg"]}
assert read_back(["v1.2/0", "v1.2/1"]) == {"v1.2/0": ["cls", "jpg"], "v1.2/1": ["cls", "jpg"]}
EOF
