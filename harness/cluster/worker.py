"""Runs on a worker: calls what it is asked to, and keeps what is costly to open from one call to the next."""

from __future__ import annotations

import contextlib
import logging
import threading
import weakref
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, cast

from harness.cluster import same_bench
from harness.contracts.errors import BenchError

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class Mistake:
    """Holds a BenchError on its way from a worker; `final`: it would be the same anywhere."""

    what: str
    cure: str
    final: bool = False

    def error(self) -> BenchError:
        """Return it as what it was."""
        return BenchError(self.what, cure=self.cure)


class AsOneself(BenchError):
    """Says that something is wrong with what was asked, so that no other worker can do it either."""


class Shared(Protocol):
    """Defines what all calls of one run have in common; `run` names the run."""

    @property
    def run(self) -> str:
        """Return the run's name, unlike that of any other."""


def called(bench: str, call: Callable[..., Any], item: Any, *shared: Any) -> Any:
    """Call `call(item, *shared)` if this is the bench by that key; return what it returns, or the `Mistake`."""
    if same_bench.key() != bench:
        return Mistake("a worker runs another version of the bench", "install the same one on every worker", True)
    try:
        return call(item, *shared)
    except BenchError as e:
        return Mistake(e.what, e.cure, isinstance(e, AsOneself))


def check_training(wanted: Mapping[str, str]) -> None:
    """Check that this worker trains by the versions of its client's machine.

    Raises:
        AsOneself: it does not, with what differs.
    """
    if differs := same_bench.difference(same_bench.training(), wanted):
        raise AsOneself(f"a worker trains by other versions: {differs}", cure="install the same ones there")


@dataclass
class _Kept:
    """Holds what one run has open on this worker."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    held: ExitStack = field(default_factory=ExitStack)
    value: Any = None


_kept: dict[str, _Kept] = {}
_ended: set[str] = set()  # runs whose client has ended: a call that was on its way opens nothing again
_lock = threading.Lock()


def kept(shared: Shared, make: Callable[[Any, ExitStack], T]) -> T:
    """Return what `make(shared, held)` opened for this run, made at the first call.

    It is closed when this worker drops the last reference to `shared` (its client ended, in whatever way), or by
    `let_go`.

    Args:
        make: opens it; what it enters into `held` is closed at the end.

    Raises:
        BenchError: the run has ended.
    """
    with _lock:
        if shared.run in _ended:
            raise BenchError(f"run {shared.run} has ended")
        if shared.run not in _kept:
            _kept[shared.run] = _Kept()
            weakref.finalize(shared, _later, shared.run)
        own = _kept[shared.run]
    with own.lock:
        if own.value is None:
            try:
                own.value = make(shared, own.held)
            except BaseException:
                own.held.close()
                own.held = ExitStack()
                raise
        return cast(T, own.value)


def let_go(run: str) -> None:
    """Close what a run has open on this worker, for good; return when it is closed."""
    with _lock:
        _ended.add(run)
    _close(run)


def _close(run: str) -> None:
    with _lock:
        own = _kept.get(run)
    if own is None:
        return
    with own.lock:  # a second caller waits until it is closed
        try:
            own.held.close()
        except (BenchError, OSError) as e:
            log.warning("what run %s had open on this worker could not be closed: %s", run, e)
        own.value = None
    with _lock:
        _kept.pop(run, None)


def _later(run: str) -> None:
    """Close it in a thread of its own: this is called by whatever drops the last reference."""
    with contextlib.suppress(RuntimeError):  # the interpreter ends: the processes behind it end with it
        threading.Thread(target=_close, args=(run,), daemon=True).start()
