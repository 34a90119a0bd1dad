"""The device that a name stands for."""

from __future__ import annotations

import pytest
import torch

from curvdetect.data.devices import resolve_device

#: A name, how many CUDA devices and whether MPS is there, and the device.
DEVICES = [
    ("cpu", 2, True, "cpu"),
    (torch.device("cpu"), 2, True, "cpu"),
    ("auto", 1, True, "cuda"),
    ("auto", 0, True, "mps"),
    ("auto", 0, False, "cpu"),
    ("cuda", 2, False, "cuda"),
    ("cuda:0", 2, False, "cuda:0"),
    ("cuda:1", 2, False, "cuda:1"),
]


@pytest.mark.parametrize(("name", "n_cuda", "mps", "expected"), DEVICES)
def test_auto_takes_the_fastest_device_and_every_one_there_is_can_be_named(monkeypatch, name, n_cuda, mps, expected):
    _pretend(monkeypatch, cuda=n_cuda, mps=mps)
    assert resolve_device(name) == torch.device(expected)


BAD = {
    "misspelt": ("cud", 0, "device='cud' is not known.*'auto'"),
    "number_missing": ("cuda:", 1, "device='cuda:' is not known"),
    "a_list": (["cpu"], 0, r"device=\['cpu'\] is not known"),
    "no_cuda": ("cuda", 0, "device='cuda', but torch sees no CUDA"),
    "cuda_number_too_high": ("cuda:2", 2, r"device='cuda:2', but torch sees 2 CUDA device\(s\)"),
    "no_mps": ("mps", 0, "device='mps', but torch sees no MPS"),
}


@pytest.mark.parametrize(("name", "n_cuda", "message"), BAD.values(), ids=BAD)
def test_resolve_device_refuses(monkeypatch, name, n_cuda, message):
    _pretend(monkeypatch, cuda=n_cuda, mps=False)
    with pytest.raises(ValueError, match=message):
        resolve_device(name)


def _pretend(monkeypatch, *, cuda, mps):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
