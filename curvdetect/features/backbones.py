"""Pretrained networks without their last layer, by a name of timm's or torchvision's, with the pictures they expect."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from hashlib import blake2b
from pathlib import Path
from pickle import UnpicklingError
from re import sub
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from curvdetect.data.wording import brief, named

#: Mean and standard deviation of the pictures of ImageNet, by channel.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
#: How far beyond [0, 1] pictures may lie, by rounding.
_ROUNDING = 1e-3
#: Names of the part of torchvision's networks that classifies; its last layer is the one that names classes.
_CLASSIFIERS = ("fc", "classifier", "head", "heads")


class Backbone(NamedTuple):
    """A network that turns pictures into features, and how it wants them."""

    module: nn.Module
    size: tuple[int, int] | None = None
    """Height and width; None where any will do."""
    mean: tuple[float, ...] = MEAN
    std: tuple[float, ...] = STD
    interpolation: str = "bilinear"

    def features(self, x: Tensor) -> Tensor:
        """Return the features of normalized pictures, shape (n, n_features)."""
        found: object = getattr(self.module, "extract_features", self.module)(x)
        if not isinstance(found, Tensor) or found.ndim not in (2, 3, 4) or len(found) != len(x):
            what = f"a tensor of shape {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
            raise ValueError(
                f"model returned {what} for {len(x)} pictures. It has to return a tensor of shape (n, features), "
                "(n, tokens, features) or (n, features, h, w): wrap it in a module that does."
            )
        return found.mean((2, 3)) if found.ndim == 4 else found.mean(1) if found.ndim == 3 else found

    def tried(self, x: Tensor) -> Tensor:
        """Return the features of normalized pictures, or raise what to pass where the network takes none of these."""
        try:
            return self.features(x)
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, AssertionError) as error:
            raise ValueError(
                f"model fails on pictures of shape {tuple(x.shape[1:])} ({str(error)[:150]}). Pass the size that it "
                "wants, and a mean and std with one entry for each of its channels."
            ) from error

    def resized(self, x: Tensor) -> Tensor:
        """Return pictures in the size that is wanted."""
        if self.size in (None, tuple(x.shape[2:])):
            return x
        from torchvision.transforms.v2 import InterpolationMode
        from torchvision.transforms.v2.functional import resize

        return resize(x, list(self.size), InterpolationMode(self.interpolation), antialias=True)

    def asked(self, size: object, mean: object, std: object) -> Backbone:
        """Return the same network with another size and normalization, where these are not None."""
        asked = self
        if size is not None:
            numbers = _each("size", size, "whole numbers of pixels, at least 1", 0, 2, "iu")
            if len(numbers) != 2:
                raise ValueError(f"size must be one number or two, height and width, got {brief(size)}.")
            asked = asked._replace(size=(int(numbers[0]), int(numbers[1])))
        if mean is not None:
            asked = asked._replace(mean=_each("mean", mean, "finite numbers", -math.inf, len(self.mean)))
        if std is not None:
            asked = asked._replace(std=_each("std", std, "finite numbers above 0", 0, len(asked.mean)))
        if len(asked.mean) != len(asked.std):
            raise ValueError(
                f"mean has {len(asked.mean)} entries and std {len(asked.std)}: pass one of each for every channel."
            )
        return asked

    def check_channels(self, shape: Sequence[int]) -> None:
        """Raise where pictures of a shape, (channels, height, width), have others than the network takes."""
        channels = len(self.mean)
        if shape[0] not in (1, channels):
            last = shape[2] in (1, channels)
            way = "X.transpose(0, 3, 1, 2) puts the channels first." if last else "Convert them first."
            raise ValueError(
                f"X has pictures of shape {tuple(shape)}, (channels, height, width), and the network takes {channels} "
                f"channel(s), or one that is repeated. {way}"
            )

    def digest(self) -> str:
        """Return a digest of the weights, and of what the module says of its layers."""
        # without addresses in the memory, which are others in each process
        content = blake2b(sub(r" at 0x[0-9a-f]+", "", repr(self.module)).encode(), digest_size=16)
        for name, value in self.module.state_dict().items():
            content.update(repr((name, getattr(value, "dtype", value), getattr(value, "shape", ""))).encode())
            if isinstance(value, Tensor):
                content.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        return content.hexdigest()


def backbone_of(model: object) -> Backbone:
    """Return the network of a name, or a copy of a module, or raise what is wrong with it."""
    if isinstance(model, nn.Module):
        return Backbone(copy.deepcopy(model).float())
    if isinstance(model, str):
        return named_backbone(model)
    raise TypeError(f"model must be a name, such as 'timm:resnet18', or an nn.Module, got {brief(model)}.")


def named_backbone(model: str) -> Backbone:
    """Return the network of a name, or raise what is wrong with it."""
    library, _, name = model.partition(":")
    load = {"timm": _from_timm, "torchvision": _from_torchvision}.get(library)
    if load is None or not name:
        raise ValueError(
            f"model={model!r} names no network. Pass 'timm:NAME', 'torchvision:NAME', the same with '@FILE' for "
            "weights in a file, or an nn.Module without its last layer."
        )
    name, _, file = name.partition("@")
    if file and not Path(file).is_file():
        raise FileNotFoundError(f"model={model!r}: there is no file {file!r}. Pass the path of a file of weights.")
    return load(model, name, Path(file) if file else None)


def check_range(x: Tensor) -> None:
    """Raise where values of pictures are not in [0, 1], in which the means of named networks are."""
    if x.isnan().any():
        raise ValueError("X contains NaN. Leave these pictures out, or put another number in its place.")
    if not (x.min() >= -_ROUNDING and x.max() <= 1 + _ROUNDING):
        raise ValueError(
            f"X holds values from {x.min():.3g} to {x.max():.3g}, and pictures are uint8, or floats in [0, 1]. "
            "Divide them by their range, or pass mean and std (0 and 1 for pictures that are normalized)."
        )


def _each(name: str, value: Any, words: str, least: float, n: int, kinds: str = "iuf") -> tuple[float, ...]:
    """Return a parameter as numbers, a single one ``n`` times, or raise where it is something else."""
    numbers = np.asarray(value if np.isscalar(value) else list(value))
    right = numbers.dtype.kind in kinds and numbers.ndim < 2 and numbers.size > 0
    if not right or not np.isfinite(numbers).all() or (numbers <= least).any():
        raise ValueError(f"{name} must be one or a sequence of {words}, got {brief(value)}.")
    return tuple(map(float, numbers.tolist() if numbers.ndim else [numbers.item()] * n))


def _from_timm(model: str, name: str, file: Path | None) -> Backbone:
    try:
        import timm
    except ImportError as error:
        raise ImportError(f"model={model!r} needs timm: pip install timm") from error
    if ":" not in name:  # where it isn't in timm's own list but on a hub
        _check_known(model, name, [*timm.list_models(), *timm.list_pretrained()])
    module = _downloaded(model, lambda: timm.create_model(name, pretrained=file is None, num_classes=0))
    if file:
        head = module.pretrained_cfg.get("classifier") or ()
        _load(module, model, file, (head,) if isinstance(head, str) else head)
    config = timm.data.resolve_model_data_config(module)
    _, *size = config["input_size"]
    return Backbone(module, (size[0], size[1]), tuple(config["mean"]), tuple(config["std"]), config["interpolation"])


def _from_torchvision(model: str, name: str, file: Path | None) -> Backbone:
    from torchvision import models

    _check_known(model, name, models.list_models(module=models))
    weights = models.get_model_weights(name).DEFAULT
    module = _downloaded(model, lambda: models.get_model(name, weights=None if file else weights))
    head = _without_last_layer(module)
    if file:
        _load(module, model, file, (head,))
    wanted = weights.transforms()
    size = wanted.crop_size[-1]
    return Backbone(module, (size, size), tuple(wanted.mean), tuple(wanted.std), wanted.interpolation.value)


def _check_known(model: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        close = get_close_matches(name, known, n=5, cutoff=0.5)
        raise ValueError(
            f"model={model!r} is not known to the library. "
            + (f"Names like it: {named(close)}." if close else "Its documentation lists the names.")
        )


def _downloaded(model: str, make: Callable[[], nn.Module]) -> Any:
    """Return the network, or raise that its weights could not be had."""
    try:
        return make()
    except Exception as error:  # of the network, of the hub, of the file system
        raise OSError(
            f"the weights of model={model!r} could not be loaded ({type(error).__name__}: "
            f"{str(error)[:150]}). Without a connection, pass a file of them: {f'{model}@FILE'!r}."
        ) from error


def _without_last_layer(module: nn.Module) -> str:
    """Put nothing in the place of the layer that names classes, and return its name."""
    parts = dict(module.named_modules())
    inside = [name for name in parts if name.split(".")[0] in _CLASSIFIERS]
    last = [name for name in inside if isinstance(parts[name], nn.Linear | nn.Conv2d)][-1]
    module.set_submodule(last, nn.Identity())
    return last


def _load(module: nn.Module, model: str, file: Path, heads: Sequence[str]) -> None:
    """Load weights from a file, which may have those of the last layer beside."""
    weights = _read(model, file)
    try:
        missing, more = module.load_state_dict(weights, strict=False)
    except RuntimeError as error:  # of other shapes
        why = " ".join(str(error).split())[:200]
        raise ValueError(f"model={model!r}: the weights of the file are those of another network. {why}") from error
    more = [name for name in more if not name.startswith(tuple(f"{head}." for head in heads))]
    if missing or more:
        raise ValueError(
            f"model={model!r}: the file holds weights of another network. It lacks {named(missing) or 'none'}, and has "
            f"{named(more) or 'none'} beside."
        )


def _read(model: str, file: Path) -> dict[str, Tensor]:
    """Return the weights of a file; nothing in it is executed."""
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        found = torch.load(file, map_location="cpu", weights_only=True)
    except (SafetensorError, UnpicklingError, RuntimeError, EOFError) as error:
        raise ValueError(
            f"model={model!r}: {str(file)!r} can't be read as weights. Pass what torch.save(module.state_dict(), ...) "
            f"or safetensors wrote. ({str(error)[:100]})"
        ) from error
    for key in ("state_dict", "model"):  # as checkpoints of trainings have them
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    return {name.removeprefix("module."): value for name, value in found.items()}
