"""Probes are fair independent signs, and functions of their key alone."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from curvdetect.signals.probes import rademacher
from tests.cases import untouched_rng

INDEX = torch.arange(4096)
KEY = {"seed": 0, "epoch": 1, "probe": 0}


def largest_correlation(vectors):
    """Return the largest correlation, by magnitude, between two rows of signs, in standard deviations."""
    gram = (vectors @ vectors.T).fill_diagonal_(0)
    return gram.abs().max().item() / math.sqrt(vectors.shape[1])


@pytest.mark.parametrize("seed", [0, 1, 2**31 - 1])
def test_entries_are_signs_of_mean_zero(seed):
    signs = rademacher(INDEX, (129,), seed=seed, epoch=1, probe=0, dtype=torch.float64)
    assert set(signs.unique().tolist()) == {-1, 1}
    assert signs.sum().abs() < 5 * math.sqrt(signs.numel())
    assert signs.sum(0).abs().max() < 5 * math.sqrt(signs.shape[0])
    assert signs.sum(1).abs().max() < 5 * math.sqrt(signs.shape[1])


def test_coordinates_are_uncorrelated():
    signs = rademacher(INDEX, (200,), **KEY)
    assert largest_correlation(signs.T) < 6


def test_products_of_three_neighbouring_coordinates_have_mean_zero():
    signs = rademacher(INDEX, (200,), **KEY)
    triples = signs[:, :-2] * signs[:, 1:-1] * signs[:, 2:]
    assert triples.sum(0).abs().max() < 5 * math.sqrt(len(INDEX))


def test_samples_probes_epochs_and_seeds_are_uncorrelated():
    index = torch.tensor([0, 1, 2, 64, 4096])
    keys = itertools.product((0, 1, 2), (0, 1, 2), (0, 1, 2))
    vectors = [rademacher(index, (4096,), seed=s, epoch=e, probe=p) for s, e, p in keys]
    assert largest_correlation(torch.cat(vectors)) < 6


def test_a_run_over_many_epochs_averages_out():
    mean = sum(rademacher(INDEX[:64], (64,), seed=3, epoch=e, probe=0) for e in range(400)) / 400
    assert mean.abs().max() < 5 / math.sqrt(400)
    assert 0.9 < mean.square().mean() * 400 < 1.1


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"epoch": 2}, {"probe": 1}, {"seed": 1, "epoch": 0}, {"epoch": 0, "probe": 1}], ids=str
)
def test_every_part_of_the_key_changes_the_signs_of_every_sample(change):
    signs = rademacher(INDEX, (64,), **KEY)
    other = rademacher(INDEX, (64,), **{**KEY, **change})
    assert (signs != other).any(1).all()


def test_no_two_of_many_samples_share_their_signs():
    signs = rademacher(torch.arange(20_000), (64,), **KEY, dtype=torch.int8)
    assert len(signs.unique(dim=0)) == 20_000


MASK = 2**64 - 1


def splitmix(state):
    """Return the word that splitmix64 puts out for a state, in whole numbers of Python."""
    z = (state + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


@pytest.mark.parametrize(
    ("seed", "epoch", "probe", "sample"),
    [(0, 0, 0, 0), (0, 1, 0, 5), (7, 30, 9, 59_999), (2**31 - 1, 10_000, 127, 2**40), (-3, 2, 1, 8)],
)
def test_signs_are_the_bits_of_splitmix64(seed, epoch, probe, sample):
    key = splitmix(seed & MASK)
    for part in (epoch, probe, sample):
        key = splitmix((key + part) & MASK)
    words = [splitmix((key + k * 0x9E3779B97F4A7C15) & MASK) for k in range(3)]
    expected = [2.0 * (words[i // 64] >> (i % 64) & 1) - 1 for i in range(150)]
    assert rademacher(torch.tensor([sample]), (150,), seed=seed, epoch=epoch, probe=probe)[0].tolist() == expected


def test_the_mixing_is_that_of_the_published_generator():
    # the first outputs of splitmix64 from state 0 and from 1234567, as published with the generator
    assert splitmix(0) == 0xE220A8397B1DCDAF
    assert splitmix(1234567) == 6457827717110365317


@given(
    index=st.lists(st.integers(0, 10**6), min_size=1, max_size=20),
    data=st.data(),
    seed=st.integers(0, 2**31 - 1),
    size=st.integers(1, 130),
)
def test_a_sample_gets_its_signs_in_whatever_company(index, data, seed, size):
    chosen = data.draw(st.lists(st.integers(0, len(index) - 1), min_size=1))
    whole = rademacher(torch.tensor(index), (size,), seed=seed, epoch=3, probe=1)
    part = rademacher(torch.tensor(index)[chosen], (size,), seed=seed, epoch=3, probe=1)
    assert torch.equal(whole[chosen], part)


@pytest.mark.parametrize("shape", [(), (1,), (7,), (63,), (64,), (65,), (3, 5, 7), (1, 28, 28)], ids=str)
def test_any_shape_is_filled_from_one_stream(shape):
    size = math.prod(shape)
    signs = rademacher(INDEX[:9], shape, **KEY)
    assert signs.shape == (9, *shape)
    assert torch.equal(signs.reshape(9, size), rademacher(INDEX[:9], (1000,), **KEY)[:, :size])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_signs_are_the_same_in_any_precision(dtype):
    signs = rademacher(INDEX[:50], (33,), **KEY, dtype=dtype)
    assert signs.dtype == dtype
    assert torch.equal(signs.float(), rademacher(INDEX[:50], (33,), **KEY))


def test_signs_are_the_same_on_every_device(device):
    signs = rademacher(INDEX[:50].to(device), (3, 11), **KEY)
    assert signs.device.type == device.type
    assert torch.equal(signs.cpu(), rademacher(INDEX[:50], (3, 11), **KEY))


def test_an_index_of_another_integer_type_gives_the_same_signs():
    assert torch.equal(rademacher(INDEX[:9].int(), (20,), **KEY), rademacher(INDEX[:9], (20,), **KEY))


def test_no_samples_give_no_signs():
    assert rademacher(INDEX[:0], (3, 4), **KEY).shape == (0, 3, 4)


def test_drawing_leaves_the_global_generators_alone():
    with untouched_rng():
        rademacher(INDEX, (9,), **KEY)
