"""Makes the commands that turn an interface into a LinkSpec by tc-netem(8), and reads what `tc -j` then says of it.

The root qdisc of the access point's interface shapes the downlink. What comes in from the devices (the uplink) has no
queue there: it is redirected to an `ifb` device, whose root qdisc shapes it. Never tbf or htb: a token bucket passes
its first bytes at line rate, and a message is hardly more than that (docs/link.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.contracts.errors import BenchError
from harness.contracts.link import Direction, LinkSpec
from harness.link.commands import NETEM_CURE, Commands, Run, run_tool

HANDLE = "a617:"  # names our qdiscs, so that a later start knows what an earlier one left
PREFIX = "agnn-"  # as the names of our devices do
DISTRIBUTION_DIRECTORIES = ("/usr/lib/tc", "/lib/tc", "/usr/lib64/tc", "/usr/share/tc")


def netem_words(shape: Direction) -> list[str]:
    """Return the words after `netem`. Rates are in bit/s, times in us, losses in %, all written out: no rounding is
    ours.
    """
    words = ["rate", f"{round(shape.rate_bps)}bit"]
    if shape.delay_ms:
        words += ["delay", f"{shape.delay_ms * 1000:.3f}us"]
        if shape.jitter_ms:
            words += [f"{shape.jitter_ms * 1000:.3f}us"]
            if shape.distribution == "normal":
                words += ["distribution", "normal"]
    if shape.loss:
        words += ["loss", f"{shape.loss * 100:.6f}%"]
    return [*words, "limit", str(shape.limit)]


def install_argv(interface: str, ifb: str, spec: LinkSpec) -> list[list[str]]:
    """Return all commands, in order. One packet goes at a time (`gso_max_segs 1`), else a message would be lost or kept
    whole.
    """
    return [
        ["ip", "link", "set", "dev", interface, "gso_max_segs", "1"],
        ["ip", "link", "add", "name", ifb, "type", "ifb"],
        ["ip", "link", "set", "dev", ifb, "gso_max_segs", "1", "up"],
        ["tc", "qdisc", "replace", "dev", ifb, "root", "handle", HANDLE, "netem", *netem_words(spec.up)],
        ["tc", "qdisc", "add", "dev", interface, "handle", "ffff:", "ingress"],
        ["tc", "filter", "add", "dev", interface, "parent", "ffff:", "protocol", "all", "prio", "1", "u32", "match",
         "u32", "0", "0", "action", "mirred", "egress", "redirect", "dev", ifb],
        ["tc", "qdisc", "replace", "dev", interface, "root", "handle", HANDLE, "netem", *netem_words(spec.down)],
    ]  # fmt: skip


def remove_argv(interface: str, ifb: str) -> list[list[str]]:
    """Return the commands that take everything away again."""
    return [
        ["tc", "qdisc", "del", "dev", interface, "root"],
        ["tc", "qdisc", "del", "dev", interface, "ingress"],
        ["ip", "link", "del", "dev", ifb],
    ]


def parse_netem(qdisc: Mapping[str, Any]) -> Direction:
    """Read one netem qdisc as `tc -j qdisc show` tells it: rates in bytes/s, times in seconds, losses 0..1.

    Raises:
        BenchError: it is not a netem with a rate, or what it says makes no sense.
    """
    try:
        options = qdisc["options"]
        delay = options.get("delay") or {}
        delay_s, jitter_s = (
            (float(delay.get("delay", 0)), float(delay.get("jitter", 0)))
            if isinstance(delay, Mapping)
            else (float(delay), 0.0)
        )
        loss = options.get("loss-random") or {}
        return Direction(
            rate_bps=float(options["rate"]["rate"]) * 8,
            delay_ms=delay_s * 1e3,
            jitter_ms=jitter_s * 1e3,
            loss=float(loss.get("loss", 0)) if isinstance(loss, Mapping) else float(loss),
            limit_packets=int(options["limit"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as e:
        raise BenchError(
            f"tc tells of a qdisc that is no link of ours ({type(e).__name__}: {e})", cure="update iproute2"
        ) from e


def root_qdisc(found: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the root qdisc among those of one device."""
    return next((q for q in found if q.get("root")), None)


def read_back(commands: Commands, interface: str, ifb: str, asked: LinkSpec | None = None) -> LinkSpec | None:
    """Return what is installed, None when nothing of ours is. tc does not tell the distribution: it is taken from
    `asked`.
    """
    shapes = {}
    for way, device in (("down", interface), ("up", ifb)):
        if way == "up" and not commands.attempt("ip", "link", "show", "dev", device):
            return None
        root = root_qdisc(commands.ask("tc", "-j", "qdisc", "show", "dev", device))
        if root is None or root.get("handle") != HANDLE or root.get("kind") != "netem":
            return None
        shapes[way] = parse_netem(root)
    spec = LinkSpec(up=shapes["up"], down=shapes["down"])
    if asked is None:
        return spec
    return spec.model_copy(
        update={
            "segment_bytes": asked.segment_bytes,
            "header_bytes": asked.header_bytes,
            "up": spec.up.model_copy(update={"distribution": asked.up.distribution}),
            "down": spec.down.model_copy(update={"distribution": asked.down.distribution}),
        }
    )


def check_capability(run: Run = run_tool) -> None:
    """Check that this kernel has netem. It is tried on the loopback of a throw-away network namespace: nothing here
    changes.

    Raises:
        BenchError: it has none, or it can't be tried, with the cure.
    """
    tried = run(
        ["unshare", "--user", "--map-root-user", "--net", "tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay",
         "1ms"]
    )  # fmt: skip
    if tried.returncode == 0:
        return
    said = " ".join(tried.stderr.split())
    if "qdisc kind is unknown" in said:
        raise BenchError("this kernel has no netem (sch_netem)", cure=NETEM_CURE)
    if "unshare" in said:  # no user namespaces for us here: the real commands will tell
        return
    raise BenchError(f"netem can't be used here: {said or f'code {tried.returncode}'}", cure=NETEM_CURE)
