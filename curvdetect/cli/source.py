"""PATH as samples and labels, and what is said of those that were not read."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import click

from curvdetect.cli.console import say
from curvdetect.data.isolation import spread
from curvdetect.data.squares import Pictures
from curvdetect.data.types import Record
from curvdetect.data.wording import safe, short
from curvdetect.features.texts import names_model
from curvdetect.files.labelled import Asked, LabelledData, LabelledFile
from curvdetect.files.pictures import SIDE, PicturesFile
from curvdetect.files.registry import opened, read_data

#: Side of pictures where a pretrained network looks at them, in pixels.
EMBEDDED_SIDE = 224
#: What looks at photos by default: EfficientNet-Lite0, a network that is quick without an accelerator.
PHOTOS = "timm:tf_efficientnet_lite0.in1k"
#: Shorter side from which pictures are photos, and how many are looked at to know.
_PHOTO, _LOOKED_AT = 96, 32


def read(path: Path, reading: Record, features: str | None, quiet: bool) -> LabelledData:
    """Return samples and labels; texts as features, if these are of a model of texts.

    ``reading`` gets the size of pictures, where it has none.
    """
    reading["size"] = reading["size"] or (EMBEDDED_SIDE if features else SIDE)
    if not names_model(features):
        return read_data(path, **reading)
    if not quiet:
        say(f"embedding the texts by {safe(features)} ...")
    return read_data(path, **reading, features=features)


def asked_of(path: Path, reading: Record) -> LabelledFile:
    """Return PATH as what it is, of which nothing is read yet."""
    asked = {name: value for name, value in reading.items() if name != "probs"}
    return opened(path, Asked(**{**asked, "drop": tuple(asked.get("drop") or ())}))  # a record of a scan has a list


def features_for(path: Path, reading: Record, features: str | None, net: object) -> str | None:
    """Return what looks at the pictures of PATH: what is asked for, or for photos a pretrained network, if it is there.

    What is asked for is ``"none"`` for the pixels. Without timm, and where the weights can't be had, that is said.
    """
    if features is not None or net is not None or reading["size"] is not None:
        return None if features == "none" else features
    file = asked_of(path, reading)
    if not isinstance(file, PicturesFile) or _shorter_side(file.pictures) < _PHOTO:
        return None
    way = f"--features {PHOTOS}"
    if find_spec("timm") is None:
        say(
            f"the photos are shrunk to {SIDE} pixels. {way} looks at them as they are, which finds far more: "
            "pip install timm"
        )
        return None
    from curvdetect.features.backbones import backbone_of

    say(f"loading the weights of {PHOTOS} ...")  # without a network, timm tries for half a minute
    try:
        backbone_of(PHOTOS)
    except OSError as error:  # without a network
        say(f"the photos are shrunk to {SIDE} pixels, as {way} fails: {short(error, 100)}")
        return None
    say(f"the photos are looked at by {way}; --features none takes their pixels")
    return PHOTOS


def _shorter_side(pictures: Pictures) -> float:
    """Return the median shorter side of a few pictures, in pixels; only the beginning of each is read."""
    sides = []
    for i in spread(len(pictures), _LOOKED_AT).tolist():
        with suppress(Exception), pictures.open(i) as picture:  # decoders raise errors of any kind
            sides.append(min(picture.size))
    return median(sides) if sides else 0


def say_skipped(data: LabelledData, where: str = "") -> None:
    """Name the first few samples that were skipped, and count the others, which are listed ``where``."""
    for line in data.skipped_lines("{} more" + where):
        say(f"skipped: {line}")


def note(data: LabelledData) -> str | None:
    """Return the same as a line for the page."""
    lines = ", ".join(data.skipped_lines("and {} more"))
    return f"Skipped: {len(data.skipped)} file(s), {lines}" if lines else None


def embedded(
    data: LabelledData, model: str | None, device: str, quiet: bool, folder: Path | None = None
) -> LabelledData:
    """Return pictures as features of a pretrained network, if one is named; the pictures are then shown.

    ``folder`` is where the features are kept.
    """
    if model is None or names_model(model):
        return data
    if data.X.ndim < 3:
        raise click.UsageError(
            f"--features {short(model)} embeds pictures, and PATH holds rows: leave it out, or embed texts by "
            "model2vec:NAME or sentence-transformers:NAME."
        )
    from curvdetect.features.embedder import ImageEmbedder

    embedder = ImageEmbedder(model, device=device, cache_dir=folder, verbose=0 if quiet else 1)
    return replace(data, X=embedder.transform(data.X), shown=data.X if data.shown is None else data.shown)
