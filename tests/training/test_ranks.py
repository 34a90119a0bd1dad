"""Several processes do together what one does alone: same scores everywhere, clear errors, nothing lost."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch.distributed import HashStore

from curvdetect import LossDetector
from curvdetect.cli import main
from curvdetect.data.devices import launched_together, local_rank
from curvdetect.training import ranks
from curvdetect.training.ranks import Ranks, ranks_here, writes_here
from tests.cases import quick_net
from tests.training.together import CASES, COMMON, summary, table

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
ROOT = Path(__file__).parents[2]
#: How far scores may be from those of one process: float32 sums in another order, amplified by training.
TRAINED = 1e-3
#: The same where weights stay where they are.
STILL = 1e-5


def start(what, out, launcher):
    """Start three processes by a launcher, and return what it returns and says."""
    return subprocess.run(
        [sys.executable, "-m", *launcher, "-m", "tests.training.together", what, str(out)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.fixture(scope="module")
def died(tmp_path_factory):
    """Start three processes as an MPI does, of which the second dies; return their place, and each with its words."""
    place = tmp_path_factory.mktemp("together")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    told = {"PMI_SIZE": "3", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "PYTHONPATH": str(ROOT), "DIES": "1"}
    command = [sys.executable, "-m", "tests.training.together", "dies", str(place / "none")]
    run = [
        subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **told, "PMI_RANK": rank}, stderr=subprocess.PIPE, text=True
        )
        for rank in "012"
    ]
    return place, [(process, process.communicate(timeout=600)[1]) for process in run]


@pytest.fixture(scope="module")
def together(died):
    """What each of three processes found, in all cases; they are started once, after another start where one died."""
    out = died[0] / "found"
    run = start("cases", out, ["torch.distributed.run", "--standalone", "--nproc_per_node=3"])
    assert run.returncode == 0, run.stderr[-4000:]
    return [dict(np.load(f"{out}-{rank}.npz")) for rank in range(3)]


@cache
def alone(name):
    torch.set_num_threads(1)
    return summary(CASES[name]())


def of(found, name):
    return {key.split("/")[1]: value for key, value in found.items() if key.startswith(f"{name}/")}


@pytest.mark.parametrize("name", [*CASES, "taken up"])
def test_all_processes_end_with_the_same(together, name):
    first = of(together[0], name)
    assert first
    for other in together[1:]:
        for key, value in of(other, name).items():
            np.testing.assert_array_equal(value, first[key], err_msg=key)


@pytest.mark.processes
@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("stopped")])
def test_scores_are_those_of_one_process_on_the_same_batches(together, name):
    found, expected = of(together[0], name), alone(name)
    assert found.keys() == expected.keys()
    still = name in ("still", "some scored", "left out", "groups left out")
    rtol = STILL if still else TRAINED
    for key, value in expected.items():
        if value.dtype.kind == "f":
            # where ranks are combined two samples may change places
            atol = 1 / len(expected["scores"]) if name == "second split" else rtol * np.nanmax(np.abs(value))
            np.testing.assert_allclose(found[key], value, rtol=rtol, atol=atol, err_msg=key)
    assert found["epochs"] == expected["epochs"]
    assert (found["suggested"] == expected["suggested"]).mean() > 0.98
    assert (found["flags"] != expected["flags"]).sum() <= (0 if still else 2)


def test_a_callback_of_one_process_ends_the_training_of_all(together):
    assert of(together[0], "stopped by one")["epochs"] == 2
    assert of(together[0], "stopped by one in the last epoch")["epochs"] == 3


def test_where_a_process_dies_the_others_say_so_and_the_next_run_goes_on(died, together):
    place, ((first, said), (gone, _), _) = died
    assert (first.returncode, gone.returncode) == (1, -signal.SIGKILL)
    assert f"process 0 of 3 can't go on: process 1 (pid {gone.pid} on {socket.gethostname()}) is gone" in said
    assert "with checkpoint_dir the same command takes it up" in said
    assert not list(place.glob("none-*"))
    for found in together:
        assert of(found, "taken up").keys() == of(found, "kept").keys()
        for key, value in of(found, "kept").items():
            np.testing.assert_array_equal(of(found, "taken up")[key], value, err_msg=key)


SAID = {
    "other labels": "ValueError: y differs between processes 0 and 1: each runs the whole script",
    "other inputs": "ValueError: X differs between processes 0 and 1",
    "other length": "ValueError: X, in length, differs between processes 0 and 1",
    "no batches": "ValueError: the net's iterator_train makes no batches of indices",
    "accelerated": "ValueError: net is a skorch AccelerateMixin",
    "diverging": "FloatingPointError: ",
}


@pytest.mark.parametrize("name", SAID)
def test_what_can_not_be_done_is_said_by_every_process(together, name):
    for found in together:
        assert str(found[f"refused/{name}"]).startswith(SAID[name])


@pytest.mark.parametrize("name", ["dropout", "unseen", "planted", "folds", "grid"])
def test_without_a_seed_the_first_process_draws_for_all(together, name):
    for found in together[1:]:
        np.testing.assert_array_equal(found[name], together[0][name])


def test_the_first_process_writes_for_all_and_a_search_with_workers_of_its_own_is_refused(together):
    for found in together:
        np.testing.assert_array_equal(found["written/saved"], together[0]["written/scores"])
    assert "Leave n_jobs at 1 under torchrun" in str(together[-1]["workers"])


def test_a_command_says_that_it_runs_in_one_process(monkeypatch, tmp_path):
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    told = CliRunner().invoke(main, ["scan", str(tmp_path), "--out", str(tmp_path / "out")])
    assert told.exit_code == 2
    assert "a command runs in one process, and a launcher started several" in told.output


class OddError(Exception):
    """One that pickle writes and can't read."""

    def __init__(self, what, where):
        super().__init__(f"{what} at {where}")


def no_good(kind):
    class LocalError(Exception):
        """One that pickle can't write."""

    raise {"plain": ValueError("no good"), "local": LocalError("no good"), "odd": OddError("no good", "all")}[kind]


RAISED = {
    "plain": ["ValueError", "ValueError"],
    "local": ["LocalError", "RuntimeError"],
    "odd": ["OddError", "RuntimeError"],
}


@pytest.mark.parametrize(("kind", "expected"), RAISED.items(), ids=RAISED)
def test_an_error_of_the_first_process_reaches_the_others_whatever_it_is(monkeypatch, kind, expected):
    sent = []

    def broadcast(said, src):
        sent.append(pickle.dumps(said)) if not sent else said.__setitem__(slice(None), pickle.loads(sent[0]))

    monkeypatch.setattr(torch.distributed, "broadcast_object_list", broadcast)
    found = []
    for rank in (0, 1):
        with pytest.raises(Exception, match="no good") as error:
            Ranks(rank, 2).first(lambda: no_good(kind))
        found.append(error.type.__name__)
    # a library that is imported somewhere in the process, such as tblib, may have taught pickle the odd one
    assert found == expected or (kind, found) == ("odd", ["OddError", "OddError"])


def test_one_process_runs_nothing_of_this(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "1")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setattr("torch.distributed.init_process_group", lambda *args, **kwargs: pytest.fail("joined"))
    assert ranks_here().size == 1
    detector = LossDetector(quick_net(), **COMMON).fit(*table(50))
    assert not torch.distributed.is_initialized()
    assert [name for name, _ in detector.net_.callbacks_ if name == "in_step"] == []


PLACE = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
TORCHRUN = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "0"}
OPEN_MPI = {"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "3", "OMPI_COMM_WORLD_LOCAL_RANK": "1"}
HYDRA = {"PMI_RANK": "2", "PMI_SIZE": "3", "MPI_LOCALRANKID": "1"}
#: name -> what a launcher says; whether it started several, which of its machine this is, whether this one writes.
LAUNCHED = {
    "torchrun": (TORCHRUN | PLACE, True, 0, False),
    "torchrun, the first": (TORCHRUN | PLACE | {"RANK": "0"}, True, 0, True),
    "torchrun, one process": ({"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"} | PLACE, False, None, True),
    "by hand, without a number on the machine": ({"RANK": "1", "WORLD_SIZE": "2"} | PLACE, True, None, False),
    "Open MPI": (OPEN_MPI | PLACE, True, 1, False),
    "Open MPI, the first": (OPEN_MPI | PLACE | {"OMPI_COMM_WORLD_RANK": "0"}, True, 1, True),
    "MPICH and Intel's": (HYDRA | PLACE, True, 1, False),
    "an MPI whose processes have nowhere to meet": (HYDRA, False, None, True),
    "torchrun in an MPI": (TORCHRUN | HYDRA | PLACE, True, 0, False),
    "one process of torchrun's in an MPI": (TORCHRUN | {"WORLD_SIZE": "1"} | HYDRA | PLACE, False, None, True),
    "accelerate launch --cpu, which starts one": (PLACE | {"ACCELERATE_USE_CPU": "True"}, False, None, True),
}


@pytest.mark.parametrize("name", LAUNCHED)
def test_what_a_launcher_says_is_understood(monkeypatch, name):
    said, several, local, writes = LAUNCHED[name]
    for other in (*PLACE, *TORCHRUN, *OPEN_MPI, *HYDRA):
        monkeypatch.delenv(other, raising=False)
    for variable, value in said.items():
        monkeypatch.setenv(variable, value)
    assert (launched_together(), local_rank(), writes_here()) == (several, local, writes)


@pytest.mark.parametrize(("n_devices", "taken"), [(2, [1]), (1, [])], ids=["its own", "none, so it trains on the CPU"])
def test_a_process_takes_the_cuda_device_of_its_number_where_there_is_one(monkeypatch, n_devices, taken):
    for variable, value in (TORCHRUN | PLACE | {"LOCAL_RANK": "1"}).items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: n_devices)
    found = []
    monkeypatch.setattr(torch.cuda, "set_device", found.append)
    monkeypatch.setattr(ranks, "rendezvous", lambda *args: iter([(HashStore(), 1, 2)]))
    monkeypatch.setattr(ranks, "_STORE", [])
    monkeypatch.setattr(torch.distributed, "init_process_group", lambda *args, **kwargs: None)
    monkeypatch.setattr(ranks.atexit, "register", lambda function: None)
    monkeypatch.setenv(ranks._JOINED, str(os.getpid()))  # taken back with the rest
    ranks._join()
    assert found == taken


def test_accelerate_launch_starts_them_too(together, tmp_path):
    pytest.importorskip("accelerate")
    launcher = ["accelerate.commands.launch", "--multi_gpu", "--num_processes=3", "--num_machines=1"]
    launcher += ["--mixed_precision=no", "--dynamo_backend=no", "--main_process_port=0"]
    run = start("kept", tmp_path / "found", launcher)
    assert run.returncode == 0, run.stderr[-4000:]
    for rank, expected in enumerate(together):
        found = dict(np.load(tmp_path / f"found-{rank}.npz"))
        for key, value in of(expected, "kept").items():
            np.testing.assert_array_equal(found[f"kept/{key}"], value, err_msg=key)
