"""Names of devices mean what they say."""

from __future__ import annotations

import pytest
import torch

from curvdetect.training.device import resolve_device

CPU = torch.device("cpu")

GOOD = {
    "cpu": ("cpu", CPU),
    "cpu_numbered": ("cpu:0", torch.device("cpu:0")),
    "device_object": (CPU, CPU),
}


@pytest.mark.parametrize(("name", "expected"), GOOD.values(), ids=GOOD)
def test_resolve_device_knows(name, expected):
    assert resolve_device(name) == expected


PRESENT = {
    "cuda_first": (True, True, "cuda"),
    "mps_second": (False, True, "mps"),
    "cpu_last": (False, False, "cpu"),
}


@pytest.mark.parametrize(("cuda", "mps", "expected"), PRESENT.values(), ids=PRESENT)
def test_auto_takes_the_fastest_there_is(monkeypatch, cuda, mps, expected):
    _pretend(monkeypatch, cuda=int(cuda), mps=mps)
    assert resolve_device("auto") == torch.device(expected)


NUMBERED = {"unnumbered": "cuda", "first": "cuda:0", "second": "cuda:1"}


@pytest.mark.parametrize("name", NUMBERED.values(), ids=NUMBERED)
def test_resolve_device_accepts_every_cuda_device_there_is(monkeypatch, name):
    _pretend(monkeypatch, cuda=2, mps=False)
    assert resolve_device(name) == torch.device(name)


BAD = {
    "misspelt": ("cud", 0, "device='cud' is not known.*'auto'"),
    "empty": ("", 0, "device='' is not known"),
    "number_missing": ("cuda:", 1, "device='cuda:' is not known"),
    "none": (None, 0, "device=None is not known"),
    "a_list": (["cpu"], 0, r"device=\['cpu'\] is not known"),
    "no_cuda": ("cuda", 0, "device='cuda', but torch sees no CUDA"),
    "no_cuda_numbered": ("cuda:1", 0, "device='cuda:1', but torch sees no CUDA"),
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
