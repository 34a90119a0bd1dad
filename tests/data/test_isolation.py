"""Generators are put back."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest
import torch

from curvdetect.data.isolation import isolated_rng
from tests.cases import draw_from_every_generator, untouched_rng

CPU = torch.device("cpu")


def drawn(seed):
    with isolated_rng(CPU, seed):
        return draw_from_every_generator()


@pytest.mark.parametrize("seed", [None, 0, 2**31 - 2, 2**40], ids=str)
@pytest.mark.parametrize("fails", [False, True], ids=["ends", "fails"])
def test_generators_are_put_back(seed, fails):
    with untouched_rng(), suppress(KeyError), isolated_rng(CPU, seed):
        draw_from_every_generator()
        if fails:
            raise KeyError


def test_a_seed_alone_decides_what_every_generator_draws_and_without_one_the_callers_place():
    first = drawn(7)
    draw_from_every_generator()
    with untouched_rng(), isolated_rng(CPU, 7):
        assert all(a != b for a, b in zip(first, drawn(8), strict=True))
        assert draw_from_every_generator() == first  # the level within was put back
    assert drawn(None) == draw_from_every_generator()


def test_device_generator_is_put_back(device):
    torch.manual_seed(0)
    state = torch.rand(2, device=device)
    torch.manual_seed(0)
    with isolated_rng(device, 4):
        torch.rand(5, device=device)
    assert torch.equal(torch.rand(2, device=device), state)


def test_threads_take_turns():
    seen, entered, leave = [], threading.Event(), threading.Event()

    def hold():
        with isolated_rng(CPU, 7):
            entered.set()
            leave.wait(10)
            seen.append(draw_from_every_generator())

    def intrude():
        drawn(8)
        seen.append("intruder")

    first, second = threading.Thread(target=hold), threading.Thread(target=intrude)
    first.start()
    assert entered.wait(10)
    second.start()
    second.join(0.2)
    leave.set()
    first.join(10)
    second.join(10)
    assert seen == [drawn(7), "intruder"]
