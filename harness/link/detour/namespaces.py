"""Makes network namespaces of one process, without root: a thread each, so that nothing has a name and nothing can
stay.

A network namespace lives as long as a thread or socket in it. When this process ends, by SIGKILL too, the kernel takes
namespaces and their devices away.
"""

from __future__ import annotations

import ctypes
import logging
import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from harness.contracts.errors import BenchError

log = logging.getLogger(__name__)

_CLONE_NEWUSER: Final = 0x10000000  # linux/sched.h
_CLONE_NEWNET: Final = 0x40000000
_PR_SET_TIMERSLACK: Final = 29  # prctl(2)
_LIMIT_S = 20.0

T = TypeVar("T")


def become_root_of_own() -> None:
    """Enter a user namespace of our own, as its root, unless we may do everything already. Before any thread starts.

    Raises:
        BenchError: this kernel does not allow it.
    """
    user, group = os.getuid(), os.getgid()
    if user == 0 and _may(_CLONE_NEWNET):
        return
    try:
        _unshare(_CLONE_NEWUSER)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    except OSError as e:
        raise BenchError(
            f"this host does not let users make namespaces ({e.strerror})",
            cure="allow it (kernel.unprivileged_userns_clone = 1, kernel.apparmor_restrict_unprivileged_userns = 0), "
            'run as root, or set kind = "proxy" in [link]',
        ) from e


def _may(flags: int) -> bool:
    """Say whether unshare(2) would be allowed. This is tried in a thread, which is then gone."""
    allowed: list[bool] = []

    def attempt() -> None:
        try:
            _unshare(flags)
        except OSError:
            allowed.append(False)
        else:
            allowed.append(True)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join(_LIMIT_S)
    return allowed == [True]


def _unshare(flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def prompt() -> None:
    """Have this thread woken when asked: not up to 50 us later (prctl(2)), nor when others have had their turn, if we
    may.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_TIMERSLACK, 1)
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except OSError:  # not root: the scheduler's usual fairness has to do
        log.debug("no real-time priority for this link")


class NetNamespace:
    """Holds a new network namespace and the thread in it. Raises BenchError when it can't be made."""

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], queue.SimpleQueue[Any]]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name=f"netns-{name}", daemon=True)
        self._thread.start()
        self.tid: int = self.run(self._enter)

    @staticmethod
    def _enter() -> int:
        try:
            _unshare(_CLONE_NEWNET)
        except OSError as e:
            raise BenchError(
                f"no network namespace can be made ({e.strerror})", cure='run as root, or set kind = "proxy" in [link]'
            ) from e
        return threading.get_native_id()

    def run(self, job: Callable[[], T]) -> T:
        """Call a function inside: sockets made and processes started there belong there. Raises what it raises."""
        answer: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._jobs.put((job, answer))
        worked, value = answer.get(timeout=_LIMIT_S)
        if not worked:
            raise value
        done: T = value
        return done

    def _serve(self) -> None:
        while True:
            job, answer = self._jobs.get()
            try:
                answer.put((True, job()))
            except BaseException as e:  # handed to who asked
                answer.put((False, e))
