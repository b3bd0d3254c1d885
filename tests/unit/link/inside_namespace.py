"""Runs as root of a network namespace: the real tc and ip, with a plain queue in netem's place where a kernel has none.

A process that shapes `ap0` is killed; the next start finds what it left. Says what it saw as JSON on stdout.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from harness.contracts.link import LinkSpec
from harness.link import leftovers, netem
from harness.link.commands import Commands, run_tool
from harness.link.config import LinkSection
from harness.link.kernel import NetemLink

SECTION = LinkSection(kind="netem", interface="ap0", on_deviation="flag")


def without_netem(argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Every other word is the real one."""
    words = list(argv)
    if "netem" in words:
        words = [*words[: words.index("netem")], "pfifo", "limit", "100"]
    return run_tool(words)


def state() -> dict[str, Any]:
    """What is on ap0, and which devices of ours there are."""
    ask = Commands().ask
    return {
        "qdiscs": [q["kind"] for q in ask("tc", "-j", "qdisc", "show", "dev", "ap0")],
        "ours": [d["ifname"] for d in ask("ip", "-j", "link", "show") if d["ifname"].startswith(netem.PREFIX)],
        "gso_max_segs": ask("ip", "-j", "-d", "link", "show", "dev", "ap0")[0]["gso_max_segs"],
    }


def main() -> None:
    """Shape, kill, look, start anew, look."""
    commands = Commands()
    commands.do("ip", "link", "add", "name", "ap0", "type", "veth", "peer", "name", "sta0")
    commands.do("ip", "link", "set", "dev", "ap0", "up")
    found = {"before": state()}
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        NetemLink(SECTION, Commands(without_netem)).apply(LinkSpec.symmetric(1e6, 5.0))
        os.write(writing, b"applied")
        while True:
            time.sleep(600)
    os.close(writing)
    assert os.read(reading, 7) == b"applied"
    found["shaped"] = state()
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    found["left"] = state()
    again = NetemLink(SECTION, Commands(without_netem))
    with again.applied(LinkSpec.symmetric(2e6)):
        found["again"] = state()
    found["at_last"] = state()
    found["records"] = [str(p) for p in leftovers.locks.folder().glob("link-*.json")]
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
