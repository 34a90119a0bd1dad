#!/usr/bin/env bash
# A guess: convert("L") of a grey PNG of 16 bits makes 8 bits of them, as Pillow does when it opens one in colour.
# Of grey it cuts off at 255: all that is brighter than 255 of 65,535 becomes white, in convert("RGB") too, so that a
# picture of 12 bits is nearly all white. Of colours it keeps the upper 8 bits.
# convert("I") keeps the numbers, and point() before convert("L") scales them.
# Seen with Pillow 13.0.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install -q pillow==13.0.0 numpy==2.4.6

"$folder/bin/python" -I - << 'EOF'
import io
import struct
import zlib

import numpy as np
import PIL
from PIL import Image

print("Pillow", PIL.__version__)
VALUES = np.array([[0, 100, 255, 256, 1000, 4095]], dtype=">u2")


def part(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def opened(kind, pixels):
    """Return a PNG of 16 bits, grey (0) or in colour (2)."""
    size = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 16, kind, 0, 0, 0)
    lines = b"".join(b"\0" + line.tobytes() for line in pixels)
    parts = part(b"IHDR", size) + part(b"IDAT", zlib.compress(lines)) + part(b"IEND", b"")
    return Image.open(io.BytesIO(b"\x89PNG\r\n\x1a\n" + parts))


def seen(what, picture):
    numbers = np.asarray(picture).reshape(VALUES.size, -1)[:, 0].tolist()
    print(f"{what}: {picture.mode} {numbers}")
    return numbers


grey, colour = opened(0, VALUES), opened(2, np.repeat(VALUES[..., None], 3, axis=2))
values = VALUES[0].tolist()
assert grey.mode == "I;16"
assert seen("grey", grey) == values
cut = [0, 100, 255, 255, 255, 255]
assert seen('grey.convert("L")', grey.convert("L")) == cut
assert seen('grey.convert("RGB")', grey.convert("RGB")) == cut
assert seen("colour", colour) == [value // 256 for value in values]
assert seen('grey.convert("I")', grey.convert("I")) == values
scaled = grey.point(lambda value: value / 16)
assert seen('grey.point(...).convert("L")', scaled.convert("L")) == [value // 16 for value in values]
EOF
