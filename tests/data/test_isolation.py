"""Generators are put back."""

from __future__ import annotations

import threading

import pytest
import torch

from curvdetect.data.isolation import isolated_rng
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
