"""Networks to memorize with, which put out logits: defaults sized from the data, and the paper's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from curvdetect.data.inputs import Columns
from curvdetect.data.samples import Samples
from curvdetect.training import NETS

#: Deviations beyond which numbers are all alike to `Standardize`, so that squares stay within single precision.
FARTHEST = 1e9


class Standardize(nn.Module):
    """Scale columns by center and deviation, and bend what lies far out towards a bound; constant ones become zeros."""

    center: Tensor
    inverse: Tensor

    def __init__(self, columns: Columns, bound: float = 3.0) -> None:
        super().__init__()
        deviation = columns.deviation
        self.register_buffer("center", columns.center.float())
        inverse = torch.where(deviation > 0, 1 / deviation, 0.0)
        self.register_buffer("inverse", inverse.clamp(max=torch.finfo(torch.float32).max).float())
        self.bound = bound

    def forward(self, x: Tensor) -> Tensor:
        """Return scaled rows."""
        # numbers such as 1e30, often written for missing ones, have a square that is infinite
        z = ((x - self.center) * self.inverse).clamp(-FARTHEST, FARTHEST)
        return z * (1 + (z / self.bound).square()).rsqrt()


class MLP(nn.Sequential):
    """Two hidden layers of ReLUs, behind columns that are standardized where they are given."""

    def __init__(self, n_features: int, n_classes: int, width: int = 256, columns: Columns | None = None) -> None:
        super().__init__(
            nn.Flatten(),
            nn.Identity() if columns is None else Standardize(columns),
            nn.Linear(n_features, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, n_classes),
        )


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with BatchNorm, and a shortcut around them."""

    def __init__(self, planes_in: int, planes: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(planes_in, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.shortcut = nn.Sequential()
        if stride != 1 or planes_in != planes:
            self.shortcut = nn.Sequential(nn.Conv2d(planes_in, planes, 1, stride, bias=False), nn.BatchNorm2d(planes))

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + self.shortcut(x))


class ResNet(nn.Module):
    """A residual network with a 3x3 stem; each stage of `ResidualBlock` but the first halves the picture."""

    def __init__(
        self,
        n_classes: int,
        channels: int = 3,
        planes: Sequence[int] = (16, 32, 64),
        blocks: int = 1,
        stem_stride: int = 1,
    ) -> None:
        super().__init__()
        self.channels = channels
        layers: list[nn.Module] = [
            nn.Conv2d(channels, planes[0], 3, stem_stride, 1, bias=False),
            nn.BatchNorm2d(planes[0]),
            nn.ReLU(),
        ]
        width = planes[0]
        for stage, out in enumerate(planes):
            for block in range(blocks):
                layers.append(ResidualBlock(width, out, 2 if stage > 0 and block == 0 else 1))
                width = out
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(width, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        if self.channels == 1:  # without a branch, which could not be traced
            x = x.reshape(x.shape[0], 1, x.shape[-2], x.shape[-1])
        return self.head(self.features(x).mean((2, 3)))


def compact_resnet(n_classes: int, channels: int, side: int, n_samples: int) -> ResNet:
    """Return the default network for pictures: small enough for a CPU, wide enough to memorize ``n_samples``."""
    width = 16 if n_samples <= 25_000 else 32
    planes = (width, 2 * width, 4 * width) if side < 64 else (width, 2 * width, 4 * width, 8 * width)
    return ResNet(n_classes, channels, planes, 1, 2 if side >= 24 else 1)


#: Networks that can be asked for by name: from the number of classes and of channels. ResNet18 with a 3x3 stem and no
#: pooling is the paper's network for CIFAR; its downscaled one for MNIST has a depth of 20.
_PAPER = (partial(ResNet, planes=(64, 128, 256, 512), blocks=2), partial(ResNet, planes=(16, 32, 64), blocks=3))
NAMED: dict[str, Callable[[int, int], ResNet]] = dict(zip(NETS, _PAPER, strict=True))


def module_for(name: str | None, samples: Samples) -> nn.Module:
    """Return a fresh network for samples, by a key of `NAMED` or, for None, sized from them."""
    shape, n_classes = samples.shape, len(samples.classes)
    if name is not None and name not in NAMED:
        raise ValueError(f"net={name!r} is not known. Names: {', '.join(map(repr, NAMED))}; None for the default.")
    if name is None and len(shape) == 1:
        return MLP(shape[0], n_classes, columns=samples.columns)
    if name is not None and len(shape) not in (2, 3):
        raise ValueError(
            f"net={name!r} is for pictures, (height, width) or (channels, height, width), and X has samples of shape "
            f"{shape}. Pass net=None for a network sized from X, or one of your own."
        )
    if len(shape) not in (2, 3):
        raise ValueError(
            f"X has samples of shape {shape}, for which there is no default network. It takes (n_features,), "
            "(height, width) or (channels, height, width): reshape X, or pass a net of your own."
        )
    channels = 1 if len(shape) == 2 else shape[0]
    if min(shape[-2:]) < 8:
        hint = ""
        if len(shape) == 3 and shape[2] in (1, 3, 4) and min(shape[:2]) >= 8:
            hint = " This looks like channels last: X.transpose(0, 3, 1, 2) puts the channels first."
        raise ValueError(
            f"X has samples of shape {shape}, for the default network pictures of {shape[-2]} by {shape[-1]} pixels "
            f"with {channels} channel(s), and it needs at least 8 by 8.{hint} Series and smaller pictures become rows "
            "by X.reshape(len(X), -1), or go into a net of your own."
        )
    if name:
        return NAMED[name](n_classes, channels)
    return compact_resnet(n_classes, channels, min(shape[-2:]), len(samples))
