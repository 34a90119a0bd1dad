"""Networks of torchvision, made for large pictures, adapted to small ones and to small machines.

The stem no longer shrinks a picture: a 3x3 convolution with stride 1, and no pooling behind it. What pools within the
network goes on as long as there is something to pool.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log2

import torchvision
from torch import nn
from torchvision.models import vgg

#: Named as the paper does, with its Table 5.
NAMES = {
    "resnet18": "ResNet18",
    "vgg13_bn": "VGG13-BN",
    "densenet121": "DenseNet121",
    "mobilenet_v2": "MobileNetV2",
}


def build(name: str, n_classes: int, channels: int = 3, side: int = 32, narrower: int = 1) -> nn.Module:
    """Return an untrained network of `NAMES`, with the channels of every layer divided by 1, 2, 4 or 8."""
    module = ADAPTED[name](n_classes, channels, side)
    return narrowed(module, narrower) if narrower > 1 else module


def resnet18(n_classes: int, channels: int, side: int) -> nn.Module:
    module = torchvision.models.resnet18(num_classes=n_classes)
    module.conv1 = nn.Conv2d(channels, 64, 3, 1, 1, bias=False)
    module.maxpool = nn.Identity()
    return module


def vgg13_bn(n_classes: int, channels: int, side: int) -> nn.Module:
    features = vgg.make_layers(vgg.cfgs["B"], batch_norm=True)
    features[0] = nn.Conv2d(channels, 64, 3, padding=1)
    pools = [i for i, layer in enumerate(features) if isinstance(layer, nn.MaxPool2d)]
    for i in pools[int(log2(side)) :]:
        features[i] = nn.Identity()
    # of its own three fully connected layers, made for the 7 by 7 pixels that are left of 224 by 224, one
    return nn.Sequential(features, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, n_classes))


def densenet121(n_classes: int, channels: int, side: int) -> nn.Module:
    module = torchvision.models.densenet121(num_classes=n_classes)
    module.features.conv0 = nn.Conv2d(channels, 64, 3, 1, 1, bias=False)
    module.features.pool0 = nn.Identity()
    return module


def mobilenet_v2(n_classes: int, channels: int, side: int) -> nn.Module:
    module = torchvision.models.mobilenet_v2(num_classes=n_classes, dropout=0.0)
    module.features[0][0] = nn.Conv2d(channels, 32, 3, 1, 1, bias=False)
    # as the stem: where there are few pixels, the first halving comes one stage later
    for layer in module.features[2].modules():
        if isinstance(layer, nn.Conv2d):
            layer.stride = (1, 1)
    return module


ADAPTED: dict[str, Callable[[int, int, int], nn.Module]] = {
    "resnet18": resnet18,
    "vgg13_bn": vgg13_bn,
    "densenet121": densenet121,
    "mobilenet_v2": mobilenet_v2,
}


def narrowed(module: nn.Module, by: int) -> nn.Module:
    """Return a network with all channels divided, save those of the pictures and of the logits.

    Every count of channels in these networks is a multiple of 8, so that layers go on fitting each other.
    """
    stem = next(layer for layer in module.modules() if isinstance(layer, nn.Conv2d))
    for parent in list(module.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, nn.Conv2d):
                first = layer is stem
                layer = nn.Conv2d(
                    layer.in_channels if first else layer.in_channels // by,
                    layer.out_channels // by,
                    layer.kernel_size,
                    layer.stride,
                    layer.padding,
                    groups=1 if layer.groups == 1 else layer.groups // by,
                    bias=layer.bias is not None,
                )
            elif isinstance(layer, nn.BatchNorm2d):
                layer = nn.BatchNorm2d(layer.num_features // by)
            elif isinstance(layer, nn.Linear):
                layer = nn.Linear(layer.in_features // by, layer.out_features)
            else:
                continue
            setattr(parent, name, layer)
    return module
