"""Takes away what a killed run left on an interface, found by its owner's record or by our names.

The record is a file beside the board locks, `link-<interface>.json`, written before the first command. It is believed
only while nobody holds the lock of that interface: the kernel lets go of a lock when its holder ends, however it ends.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.contracts.errors import BenchError
from harness.host import locks
from harness.link import netem, offloads
from harness.link.commands import Commands

log = logging.getLogger(__name__)

_MOST_BYTES = 4096
_USUAL_SEGS = "65535"  # what a device has by itself, where no record tells


@dataclass(frozen=True)
class Owner:
    """Says who shapes an interface, where, and how it was before."""

    interface: str
    ifb: str
    pid: int
    namespace: int  # inode of the network namespace
    boot: str
    gso_max_segs: int | None
    gro: bool | None


def here(interface: str, ifb: str, gso_max_segs: int | None, gro: bool | None) -> Owner:
    """Return the record of this process."""
    return Owner(interface, ifb, os.getpid(), namespace(), boot_id(), gso_max_segs, gro)


def namespace() -> int:
    """Return the inode of this network namespace: names of devices only mean something inside one."""
    return Path("/proc/self/ns/net").stat().st_ino


def boot_id() -> str:
    """Return the identity of this start of the machine: nothing is left from an earlier one."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def identity(interface: str) -> str:
    """Return what the lock of an interface is called."""
    return f"link-{interface}-{namespace()}"


def record_path(interface: str) -> Path:
    """Return where its owner's record lies."""
    return locks.folder() / f"{identity(interface)}.json"


def write(owner: Owner) -> None:
    """Put the record down, on disk before the first command is run. Raises BenchError when it can't be written."""
    path = record_path(owner.interface)
    part = path.with_suffix(".part")
    try:
        with part.open("w") as f:
            f.write(json.dumps(asdict(owner)))
            f.flush()
            os.fsync(f.fileno())
        part.replace(path)
    except OSError as e:
        raise BenchError(
            f"the record {path} can't be written ({e.strerror})",
            cure=f"set {locks.VARIABLE} to a folder that can be written",
        ) from e


def forget(interface: str) -> None:
    """Remove the record, as everything was taken away."""
    with contextlib.suppress(OSError):
        record_path(interface).unlink(missing_ok=True)


def read(path: Path) -> Owner | None:
    """Read a record; None when there is none or it is damaged."""
    try:
        with path.open("rb") as f:
            said = json.loads(f.read(_MOST_BYTES))
        segs = said["gso_max_segs"]
        return Owner(
            str(said["interface"]), str(said["ifb"]), int(said["pid"]), int(said["namespace"]), str(said["boot"]),
            None if segs is None else int(segs), said["gro"] if isinstance(said["gro"], bool) else None,
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def sweep(commands: Commands) -> list[str]:
    """Take away what earlier runs left in this network namespace, and say what that was, for people.

    What a living run holds is left alone.
    """
    found: list[str] = []
    for path in sorted(locks.folder().glob("link-*.json")) if locks.folder().is_dir() else []:
        owner = read(path)
        if owner is None or owner.boot != boot_id():
            with contextlib.suppress(OSError):
                path.unlink()
        elif owner.namespace == namespace() and _ours(owner.interface):
            found += _take_away(commands, owner)
    return found + _by_name(commands)


def _ours(interface: str) -> bool:
    """Say whether nobody holds the interface."""
    return locks.holder(identity(interface)) is None


def _take_away(commands: Commands, owner: Owner) -> list[str]:
    took = [" ".join(argv) for argv in netem.remove_argv(owner.interface, owner.ifb) if commands.attempt(*argv)]
    restore(commands, owner)
    forget(owner.interface)
    log.info("removed what pid %d left on %s: %s", owner.pid, owner.interface, "; ".join(took) or "nothing")
    return [f"{owner.interface}: shaped by pid {owner.pid}, which is gone; {len(took)} parts removed"]


def restore(commands: Commands, owner: Owner) -> None:
    """Bring the interface's own settings back."""
    if owner.gso_max_segs:
        commands.attempt("ip", "link", "set", "dev", owner.interface, "gso_max_segs", str(owner.gso_max_segs))
    if owner.gro:
        offloads.write(owner.interface, "gro", True)


def _by_name(commands: Commands) -> list[str]:
    """Take away what has our handle or our prefix, where there is no record (its folder was emptied, say)."""
    found = []
    for device in commands.ask("ip", "-j", "link", "show"):
        name = str(device.get("ifname", ""))
        if not _ours(name) or any(_held(str(o.ifb), name) for o in _records()):
            continue
        if name.startswith(netem.PREFIX):
            if commands.attempt("ip", "link", "del", "dev", name):
                found.append(f"{name}: left by an earlier run; removed")
            continue
        root = netem.root_qdisc(commands.ask("tc", "-j", "qdisc", "show", "dev", name))
        if root and root.get("handle") == netem.HANDLE and commands.attempt("tc", "qdisc", "del", "dev", name, "root"):
            commands.attempt("tc", "qdisc", "del", "dev", name, "ingress")
            commands.attempt("ip", "link", "set", "dev", name, "gso_max_segs", _USUAL_SEGS)
            found.append(f"{name}: a qdisc of an earlier run; removed")
    return found


def _records() -> list[Owner]:
    return [owner for path in locks.folder().glob("link-*.json") if (owner := read(path))]


def _held(ifb: str, name: str) -> bool:
    """Say whether `name` is the ifb of a living run."""
    return ifb == name and any(o.ifb == ifb and not _ours(o.interface) for o in _records())
