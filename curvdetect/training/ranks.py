"""Several processes that train one network together: which they are, and what they tell each other.

``torchrun``, or ``mpirun``, starts the same script several times and tells each process, by environment variables,
which one it is. A fit joins them. A process that is alone exchanges nothing.
"""

from __future__ import annotations

import atexit
import os
import pickle
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import current_process
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.rendezvous import rendezvous

from curvdetect.data.batches import Share
from curvdetect.data.devices import in_group, launched_together, local_rank, told_by_launcher

T = TypeVar("T")
#: Seconds in which a process that died is expected to be known as dead.
_PATIENCE = 5.0
#: Tells the workers of a process that has joined the others that they have not.
_JOINED = "CURVDETECT_JOINED"
#: Where processes write their places, under this key; empty where the group is the caller's own.
_STORE: list[Any] = []
_KEY = "curvdetect/rank/{}"


class LostProcessError(RuntimeError):
    """Another of the processes that train together is gone, or can't be reached."""


def ranks_here() -> Ranks:
    """Return the processes that this one trains together with, joining them first."""
    if dist.is_available() and not dist.is_initialized() and launched_together():
        _join()
    return Ranks(dist.get_rank(), dist.get_world_size()) if in_group() else Ranks()


def by_first(make: Callable[[], T]) -> T:
    """Return what ``make`` returns; of several processes, only the first calls it."""
    return ranks_here().first(make)


def writes_here() -> bool:
    """Say whether this process is the one that writes and speaks, without joining the others."""
    if in_group():
        return dist.get_rank() == 0
    told = told_by_launcher()
    return told is None or not launched_together() or told[0] == 0


def _join() -> None:
    elsewhere = os.environ.get(_JOINED, str(os.getpid())) != str(os.getpid())
    if elsewhere or current_process().name.startswith(("Loky", "Dask")):
        raise RuntimeError(
            "a worker of one of several processes that train together can't train with them: each candidate of a "
            "search is trained by all of them already. Leave n_jobs at 1 under torchrun; or start the script once, "
            "without torchrun, and let n_jobs or a cluster train the candidates beside each other."
        )
    os.environ[_JOINED] = str(os.getpid())  # inherited by whatever this process starts
    backend = "gloo"
    if torch.cuda.is_available():
        number = local_rank() or 0
        if number < torch.cuda.device_count():  # otherwise it trains on the CPU, or was refused already
            torch.cuda.set_device(number)
        backend = "cpu:gloo,cuda:nccl"
    rank, size, _ = told_by_launcher() or (-1, -1, None)
    store, _, _ = next(rendezvous("env://", rank, size))
    dist.init_process_group(backend, store=store, rank=rank, world_size=size)
    store.set(_KEY.format(rank), f"{socket.gethostname()} {os.getpid()}")
    _STORE.append(store)
    atexit.register(_leave)


def _leave() -> None:
    _STORE.clear()
    os.environ.pop(_JOINED, None)
    if dist.is_initialized():
        with suppress(RuntimeError):  # the others may be gone already
            dist.destroy_process_group()


class Ranks:
    """The processes that train together, seen from one of them: its ``rank`` from 0, of ``size``; by default alone."""

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size
        self.share = Share(rank, size)

    def sum(self, *tensors: Tensor) -> None:
        """Put the sum over all processes into each tensor."""
        self._fill(tensors, lambda sent: dist.all_reduce(sent, dist.ReduceOp.SUM))

    def largest(self, *tensors: Tensor) -> None:
        """Put the largest over all processes into each tensor."""
        self._fill(tensors, lambda sent: dist.all_reduce(sent, dist.ReduceOp.MAX))

    def from_first(self, *tensors: Tensor) -> None:
        """Put what the first process has into each tensor."""
        self._fill(tensors, partial(dist.broadcast, src=0))

    def in_turn(self, *tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
        """Yield the tensors of each process, in the order of the processes."""
        for rank in range(self.size):
            copies = tuple(tensor.clone() for tensor in tensors)
            self._fill(copies, partial(dist.broadcast, src=rank))
            yield copies

    def any(self, flag: bool) -> bool:
        """Say whether ``flag`` is true in any process."""
        if self.size == 1:
            return flag
        told = torch.tensor(int(flag))
        self.largest(told)
        return bool(told)

    def first(self, make: Callable[[], T]) -> T:
        """Return what ``make`` returns in the first process, which alone calls it; its error is raised in all."""
        if self.size == 1:
            return make()
        said: list[Any] = [None, None]
        own: Exception | None = None
        if self.rank == 0:
            try:
                said[0] = make()
            except Exception as error:
                own = said[1] = error
                try:
                    pickle.loads(pickle.dumps(error))
                except Exception:  # whatever its class does
                    said[1] = RuntimeError(f"{type(error).__name__} in process 0: {error}")
        with self._telling():
            dist.broadcast_object_list(said, src=0)
        if said[1] is not None:
            raise own or said[1]
        made: T = said[0]
        return made

    def each(self, value: T) -> list[T]:
        """Return the small value that each process has."""
        values = [value] * self.size
        if self.size > 1:
            with self._telling():
                dist.all_gather_object(values, value)
        return values

    def _fill(self, tensors: tuple[Tensor, ...], exchange: Callable[[Tensor], object]) -> None:
        """Put into each tensor what an exchange with the others makes of it."""
        for tensor in tensors if self.size > 1 else ():
            # gloo knows no short integers
            sent = tensor.int() if tensor.dtype == torch.int16 else tensor.contiguous()
            if tensor.device.type == "mps" or (tensor.device.type == "cpu" and dist.get_backend() == "nccl"):
                sent = sent.to("cuda" if tensor.device.type == "cpu" else "cpu")
            with self._telling():
                exchange(sent)
            if sent is not tensor:
                tensor.copy_(sent)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Say which process is gone, where an exchange fails."""
        try:
            yield
        except RuntimeError as error:
            raise LostProcessError(
                f"process {self.rank} of {self.size} can't go on: {_who_is_gone(self.size)} ({error}). The training "
                "ends here; with checkpoint_dir the same command takes it up after the last epoch that was kept."
            ) from error


def _who_is_gone(size: int) -> str:
    """Return, in words, which processes are gone, as far as it can be seen from here."""
    if not _STORE:
        return "another process is gone"
    here, deadline = socket.gethostname(), time.monotonic() + _PATIENCE
    while True:
        try:
            places = [_STORE[0].get(_KEY.format(rank)).decode().split() for rank in range(size)]
        except RuntimeError:
            return "the process where all meet is gone, by default the first one"
        gone = [
            f"process {rank} (pid {pid} on {host})"
            for rank, (host, pid) in enumerate(places)
            if host == here and _is_gone(int(pid))
        ]
        if gone:
            return f"{' and '.join(gone)} {'is' if len(gone) == 1 else 'are'} gone"
        if time.monotonic() > deadline:
            others = sorted({host for host, _ in places} - {here})
            return f"a process on {' or '.join(others)} is gone" if others else "another process does not answer"
        time.sleep(0.1)


def _is_gone(pid: int) -> bool:
    """Say whether a process of this machine has ended, waited for by its parent or not yet."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except ProcessLookupError:
        return True
    except OSError:  # another user's, or a system without /proc
        return False
