"""Shapes on larger pictures, to be written with their boxes as tools write them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

CLASSES = ("circle", "square", "triangle")
WIDTH, HEIGHT = 300, 200


class Shape(NamedTuple):
    """A shape: the number of its picture and class, and left, upper end, width and height of its box."""

    image: int
    kind: int
    box: tuple[int, int, int, int]


def draw_shapes(folder: Path, n: int = 24) -> list[Shape]:
    """Write ``n`` pictures of three shapes each as 0.png, 1.png and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    shapes = []
    for image in range(n):
        picture = Image.fromarray(rng.integers(0, 90, (HEIGHT, WIDTH, 3), dtype=np.uint8))
        draw = ImageDraw.Draw(picture)
        for place in range(3):
            (x, y), (w, h), kind = rng.integers(0, 30, 2) + [100 * place, 0], rng.integers(30, 70, 2), len(shapes) % 3
            corners, colour = (x, y, x + w, y + h), tuple(rng.integers(150, 256, 3).tolist())
            if kind == 2:
                draw.polygon([(x, y + h), (x + w, y + h), (x + w / 2, y)], fill=colour)
            else:
                (draw.ellipse if kind == 0 else draw.rectangle)(corners, fill=colour)
            shapes.append(Shape(image, kind, (int(x), int(y), int(w), int(h))))
        picture.save(folder / f"{image}.png")
    return shapes
