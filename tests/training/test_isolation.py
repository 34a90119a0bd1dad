"""Generators are put back, and names of devices mean what they say."""

from __future__ import annotations

import threading

import pytest
import torch

from curvdetect.training.isolation import isolated_rng, resolve_device
from tests.cases import draw_from_every_generator, untouched_rng

CPU = torch.device("cpu")


@pytest.mark.parametrize("seed", [None, 0, 5, 2**31 - 2, 2**40], ids=str)
def test_generators_are_put_back(seed):
    with untouched_rng(), isolated_rng(CPU, seed):
        draw_from_every_generator()


def test_generators_are_put_back_after_an_exception():
    with untouched_rng(), pytest.raises(KeyError, match="inside"):
        _fail_inside()


def _fail_inside():
    with isolated_rng(CPU, 3):
        draw_from_every_generator()
        raise KeyError("inside")


def test_nested_blocks_put_each_level_back():
    with untouched_rng():
        with isolated_rng(CPU, 1):
            expected = draw_from_every_generator()
        with isolated_rng(CPU, 1):
            with isolated_rng(CPU, 2):
                draw_from_every_generator()
            assert draw_from_every_generator() == expected


def test_without_a_seed_the_block_starts_where_the_caller_stands():
    with isolated_rng(CPU):
        inside = draw_from_every_generator()
    assert draw_from_every_generator() == inside


def test_same_seed_draws_the_same_whatever_was_drawn_before():
    seen = []
    for _ in range(2):
        draw_from_every_generator()
        with isolated_rng(CPU, 7):
            seen.append(draw_from_every_generator())
    assert seen[0] == seen[1]


def test_other_seed_draws_something_else_from_every_generator():
    with isolated_rng(CPU, 7):
        first = draw_from_every_generator()
    with isolated_rng(CPU, 8):
        second = draw_from_every_generator()
    assert all(a != b for a, b in zip(first, second, strict=True))


def test_device_generator_is_put_back(device):
    torch.manual_seed(0)
    state = torch.rand(2, device=device)
    torch.manual_seed(0)
    with isolated_rng(device, 4):
        torch.rand(5, device=device)
    assert torch.equal(torch.rand(2, device=device), state)


def test_threads_take_turns():
    with isolated_rng(CPU, 7):
        expected = draw_from_every_generator()
    seen, entered, leave = [], threading.Event(), threading.Event()

    def hold():
        with isolated_rng(CPU, 7):
            entered.set()
            leave.wait(10)
            seen.append(draw_from_every_generator())

    def intrude():
        with isolated_rng(CPU, 8):
            draw_from_every_generator()
            seen.append("intruder")

    first, second = threading.Thread(target=hold), threading.Thread(target=intrude)
    first.start()
    assert entered.wait(10)
    second.start()
    second.join(0.2)
    leave.set()
    first.join(10)
    second.join(10)
    assert seen == [expected, "intruder"]


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
