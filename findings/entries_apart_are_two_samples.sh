#!/usr/bin/env bash
# A guess: entries of a .tar that share a key are one sample, wherever they lie.
# They are if they follow each other. In a shard with all pictures before all labels, each sample comes twice, once
# without a label and once without a picture, and decode() says nothing; to_tuple(missing_is_error=False) gives Nones.
# Seen with webdataset 1.0.2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install -q webdataset==1.0.2 numpy==2.4.6 braceexpand==0.1.7 pyyaml==6.0.3

cd "$folder"
bin/python -I - << 'EOF'
import io
import tarfile
import warnings
from importlib.metadata import version

import webdataset

print("webdataset", version("webdataset"))
warnings.simplefilter("error", UserWarning)


def samples(names, *steps):
    """Write a shard with entries of these names; return what is read from it."""
    with tarfile.open("shard.tar", "w") as shard:
        for name in names:
            content = name.partition(".")[0].encode()
            info = tarfile.TarInfo(name)
            info.size = len(content)
            shard.addfile(info, io.BytesIO(content))
    found = webdataset.WebDataset("shard.tar", shardshuffle=False).decode()
    if steps:
        return list(found.to_tuple(*steps, missing_is_error=False))
    found = [(sample["__key__"], [kind for kind in sample if not kind.startswith("__")]) for sample in found]
    print(names, "->", found)
    return found


together = ["0.txt", "0.cls", "1.txt", "1.cls"]
apart = ["0.txt", "1.txt", "0.cls", "1.cls"]
assert samples(together) == [("0", ["txt", "cls"]), ("1", ["txt", "cls"])]
assert samples(apart) == [("0", ["txt"]), ("1", ["txt"]), ("0", ["cls"]), ("1", ["cls"])]
print(samples(apart, "txt", "cls"))
assert samples(apart, "txt", "cls") == [("0", None), ("1", None), (None, 0), (None, 1)]
EOF
