"""Pictures as the page holds them: data URIs, with fewer pixels each where there are many."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, features

from curvdetect.data.isolation import spread
from curvdetect.data.items import Items, input_of, is_dataset
from curvdetect.data.pictures import depth_of, eight_bits
from curvdetect.data.samples import Samples
from curvdetect.data.shapes import are_series
from curvdetect.data.types import Array
from curvdetect.data.wording import warn

#: Longest side of a picture, in pixels.
LARGEST, SMALLEST = 320, 48
#: Pixels of all suspects together, from which the side follows.
PIXELS = 32_000_000
#: Most pictures of which small ones are kept exactly.
EXACT = 5_000
#: Pictures that tell what a sequence holds.
_FEW = 16


class Gallery:
    """PIL pictures of any sizes and modes, of which only those that are shown are read."""

    def __init__(self, items: Items, bits: int) -> None:
        self.items = items
        #: The bits that those of 16 bits use, as far as is known.
        self.bits = bits

    def __len__(self) -> int:
        return len(self.items)

    def drawn(self, positions: Sequence[int]) -> Iterator[Image.Image | None]:
        """Yield pictures upright, None for one that can't be read, and warn of these in the end."""
        missing: dict[int, Exception] = {}
        for i in positions:
            try:
                picture = input_of(self.items, i)
                if not isinstance(picture, Image.Image):
                    raise TypeError(f"a {type(picture).__name__} is no picture of PIL's")
                depth = depth_of(picture)
                bits = self.bits if depth is None else max(self.bits, depth.used)
                made = eight_bits(picture, bits, depth is not None and depth.cut)
            except Exception as error:  # decoders raise errors of any kind
                missing[i] = error
                yield None
            else:
                yield made
        if missing:
            first, why = next(iter(missing.items()))
            warn(
                f"{len(missing)} of {len(positions)} pictures can't be read, and the page shows them as missing. The "
                f"first is X_display[{first}] ({type(why).__name__}: {why})."
            )


def gallery_of(X: object) -> Gallery | None:
    """Return the PIL pictures that a sequence or a dataset yields, None where it yields anything else."""
    if not is_dataset(X, "X_display") and (not isinstance(X, Sequence) or isinstance(X, str | bytes)):
        return None
    items: Any = X
    bits, errors = 0, []
    for i in spread(len(items), _FEW).tolist():
        try:
            picture = input_of(items, i)
            if picture is None:  # a gap in a column
                continue
            if not isinstance(picture, Image.Image):
                return None
            depth = depth_of(picture)
        except Exception as error:
            errors.append(error)
        else:
            bits = max(bits, 8 if depth is None else depth.used)
    # files that are gone are missing pictures; where all fails in another way, others tell
    known = bits or (errors and all(isinstance(error, OSError) for error in errors))
    return Gallery(items, bits) if known else None


def thumbnails(
    samples: Samples | Gallery, index: NDArray[np.int64], others: NDArray[np.int64], pixels: int | None = None
) -> dict[str, str | None]:
    """Return pictures as data URIs, by position, None for one that is missing; look-alikes are half as large."""
    side = int(np.clip(np.sqrt((pixels or PIXELS) / max(1, len(index))), SMALLEST, LARGEST))
    wanted = [(i, side) for i in index.tolist()] + [(i, max(SMALLEST, side // 2)) for i in others.tolist()]
    if isinstance(samples, Gallery):
        wanted.sort()  # so that of a file with many pictures no part is read twice
        drawn = samples.drawn([i for i, _ in wanted])
    else:
        drawn = (_plotted if are_series(samples.inputs) else _drawn)(samples, index, others)
    exact = len(wanted) <= EXACT
    return {
        str(i): None if picture is None else _data_uri(picture, longest, exact)
        for (i, longest), picture in zip(wanted, drawn, strict=True)
    }


def chunks(samples: Samples, positions: NDArray[np.int64]) -> Iterator[NDArray[np.float32]]:
    """Yield the inputs of some samples, a few hundred at a time."""
    for part in torch.split(torch.as_tensor(positions, dtype=torch.int64), 256):
        if len(part):
            yield samples.batch(part).cpu().numpy()


def _drawn(samples: Samples, index: NDArray[np.int64], others: NDArray[np.int64]) -> Iterator[Image.Image]:
    """Yield samples as pictures, all by the range of the suspects.

    They are (height, width), (channels, height, width) or (height, width, channels). One, three or four channels are
    shown as colours, any other number as their mean.
    """
    low, high = 0.0, 1.0
    for batch in chunks(samples, index):
        low, high = min(low, float(batch.min())), max(high, float(batch.max()))
    for positions in (index, others):
        for batch in chunks(samples, positions):
            yield from map(Image.fromarray, _as_bytes((batch - low) / (high - low)))


def _plotted(samples: Samples, index: NDArray[np.int64], others: NDArray[np.int64]) -> Iterator[Image.Image]:
    """Yield series as plots, in which each channel has a lane and its range among the suspects."""
    ends = [(x.min((0, 2)), x.max((0, 2))) for x in map(_channels_first, chunks(samples, index))]
    if not ends:
        return
    low, high = np.min([low for low, _ in ends], 0)[:, None], np.max([high for _, high in ends], 0)[:, None]
    span = np.where(high > low, high - low, 1)
    for positions in (index, others):
        for batch in map(_channels_first, chunks(samples, positions)):
            yield from map(_plot, ((batch - low) / span).clip(0, 1))


def _channels_first(series: Array) -> Array:
    """Return series of shape (n, channels, length), which are longer than they have channels."""
    return series if series.shape[2] > series.shape[1] else series.swapaxes(1, 2)


def _plot(series: Array) -> Image.Image:
    """Draw a series, a line for each channel in a lane of its own, from values in [0, 1]."""
    picture = Image.new("L", (LARGEST, LARGEST), 255)
    draw, (n_channels, length) = ImageDraw.Draw(picture), series.shape
    across = np.linspace(0, LARGEST - 1, length)
    for lane, values in enumerate(series):
        down = (lane + 0.95 - 0.9 * values) * LARGEST / n_channels
        draw.line(np.column_stack([across, down]).ravel().tolist(), fill=0)
    return picture


def _as_bytes(batch: Array) -> NDArray[np.uint8]:
    """Return pictures in [0, 1] as bytes of shape (n, height, width) or (n, height, width, 3)."""
    if batch.ndim == 4:
        last = batch.shape[1] not in (1, 3, 4) and batch.shape[3] in (1, 3, 4)
        batch = batch if last else np.moveaxis(batch, 1, 3)
        batch = batch[..., :3] if batch.shape[3] in (3, 4) else batch.mean(axis=3)
    return (batch.clip(0, 1) * 255).round().astype(np.uint8)


def _data_uri(picture: Image.Image, longest: int, exact: bool) -> str:
    small = max(picture.size) <= min(64, longest)
    picture.thumbnail((longest, longest))
    webp = features.check("webp")
    kind, options = "webp" if webp else "jpeg", {"quality": 85}
    if small and exact:
        kind, options = ("webp", {"lossless": True, "method": 0}) if webp else ("png", {})
    content = io.BytesIO()
    picture.save(content, format=kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(content.getvalue()).decode()}"
