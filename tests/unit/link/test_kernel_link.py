"""The netem link's life, against a tool that remembers what was installed: order, undoing, refusals, leftovers."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.contracts.errors import BenchError
from harness.contracts.link import LinkSpec
from harness.host import locks
from harness.link import leftovers, netem
from harness.link.commands import Commands
from harness.link.config import LinkSection
from harness.link.kernel import NetemLink

pytestmark = pytest.mark.slow

SPEC = LinkSpec.symmetric(6e6, 5.0)


class Kernel:
    """tc and ip over a dictionary of devices. `wrong` makes it install another rate than it is told."""

    def __init__(self, root: str = "fq_codel") -> None:
        self.qdiscs: dict[str, dict[str, Any]] = {"wlan0": {"kind": root, "handle": "0:", "root": True}}
        self.ingress: set[str] = set()
        self.fail = ""
        self.wrong = 1.0
        self.lines: list[str] = []

    def __call__(self, argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
        line = " ".join(argv)
        self.lines.append(line)
        try:
            if self.fail and line.startswith(self.fail):
                raise KeyError("made to fail")
            out = self._do(list(argv), line)
        except KeyError as e:
            return subprocess.CompletedProcess(list(argv), 2, "", f"Error: {e}")
        return subprocess.CompletedProcess(list(argv), 0, out, "")

    def _do(self, argv: list[str], line: str) -> str:
        device = argv[argv.index("dev") + 1] if "dev" in argv else argv[-1]
        if line.startswith("ip link add"):
            device = argv[argv.index("name") + 1]
            if device in self.qdiscs:
                raise KeyError("File exists")
            self.qdiscs[device] = {"kind": "noqueue", "handle": "0:", "root": True}
        elif line.startswith("ip -j link show") and "dev" not in argv:
            return json.dumps([{"ifname": name} for name in self.qdiscs])
        elif line.startswith("ip -j -d link"):
            return json.dumps([{"ifname": device, "gso_max_segs": 65_535}])
        elif line.startswith("ip link del"):
            del self.qdiscs[device]
        elif line.startswith("tc -j qdisc"):
            return json.dumps([self.qdiscs[device]] + [{"kind": "ingress"}] * (device in self.ingress))
        elif line.startswith("tc qdisc replace"):
            rate = float(argv[argv.index("rate") + 1].removesuffix("bit")) * self.wrong
            options: dict[str, Any] = {"rate": {"rate": rate / 8}, "limit": int(argv[argv.index("limit") + 1])}
            if "delay" in argv:
                options["delay"] = {"delay": float(argv[argv.index("delay") + 1].removesuffix("us")) / 1e6, "jitter": 0}
            self.qdiscs[device] = {"kind": "netem", "handle": netem.HANDLE, "root": True, "options": options}
        elif "ingress" in argv and "add" in argv:
            self.ingress.add(device)
        elif "ingress" in argv:
            self.ingress.remove(device)
        elif line.startswith("tc qdisc del"):
            if self.qdiscs[device]["kind"] in ("fq_codel", "noqueue"):
                raise KeyError("Cannot delete qdisc with handle of zero.")
            self.qdiscs[device] = {"kind": "fq_codel", "handle": "0:", "root": True}
        elif device not in self.qdiscs and device != "lo":
            raise KeyError(f'Cannot find device "{device}"')
        return ""

    @property
    def clean(self) -> bool:
        return not self.ingress and {n: q["kind"] for n, q in self.qdiscs.items()} == {"wlan0": "fq_codel"}


@pytest.fixture(autouse=True)
def own_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(locks.VARIABLE, str(tmp_path / "locks"))
    return tmp_path / "locks"


def link(kernel: Kernel, **more: Any) -> NetemLink:
    section = LinkSection(kind="netem", interface="wlan0", **({"on_deviation": "flag"} | more))
    return NetemLink(section, Commands(kernel))


def test_applied_read_back_certified_and_taken_away(own_locks: Path) -> None:
    kernel = Kernel()
    one = link(kernel)
    with one.applied(SPEC):
        assert kernel.qdiscs["agnn-ifb0"]["kind"] == kernel.qdiscs["wlan0"]["kind"] == "netem"
        assert kernel.ingress == {"wlan0"}
        assert list(own_locks.glob("link-wlan0-*.json"))
        assert one.read_back() is not None
    assert kernel.clean and one.read_back() is None
    assert not list(own_locks.glob("link-*.json"))
    certificate = one.certificate
    assert certificate is not None and certificate.verdict == "unmeasured"
    assert [list(words) for words in certificate.argv] == netem.install_argv("wlan0", "agnn-ifb0", SPEC)
    assert "probe_host" in certificate.remarks
    one.clear()
    one.close()


def test_what_was_not_measured_is_refused_unless_told_otherwise() -> None:
    kernel = Kernel()
    with pytest.raises(BenchError, match="could not be measured"):
        link(kernel, on_deviation="refuse").apply(SPEC)
    assert kernel.clean


@pytest.mark.parametrize("on_deviation", ["refuse", "flag"])
def test_another_rate_than_asked_is_refused_or_flagged(on_deviation: str) -> None:
    kernel = Kernel()
    kernel.wrong = 0.5
    one = link(kernel, on_deviation=on_deviation)
    if on_deviation == "refuse":
        with pytest.raises(BenchError, match=r"reads back as up 3e.06 bit/s"):
            one.apply(SPEC)
        assert kernel.clean
    else:
        one.apply(SPEC)
        assert one.certificate is not None and one.certificate.verdict == "deviates"
        one.close()


@pytest.mark.parametrize("fail", [" ".join(w) for w in netem.install_argv("wlan0", "agnn-ifb0", SPEC)])
def test_whichever_command_fails_nothing_stays(fail: str, own_locks: Path) -> None:
    kernel = Kernel()
    kernel.fail = fail
    with pytest.raises(BenchError, match="made to fail"):
        link(kernel).apply(SPEC)
    assert kernel.clean
    assert not list(own_locks.glob("link-*.json"))
    kernel.fail = ""
    with link(kernel).applied(SPEC):
        pass


def test_another_ones_qdisc_is_not_touched() -> None:
    kernel = Kernel(root="htb")
    with pytest.raises(BenchError, match=r"somebody else's .htb.") as error:
        link(kernel).apply(SPEC)
    assert "tc qdisc del dev wlan0 root" in error.value.cure
    assert kernel.qdiscs["wlan0"]["kind"] == "htb"
    assert not [line for line in kernel.lines if line.startswith("tc qdisc replace")]


def test_an_interface_that_another_run_shapes_is_left_to_it() -> None:
    kernel = Kernel()
    first = link(kernel)
    with first.applied(SPEC), pytest.raises(BenchError, match=r"wlan0 is shaped by .*pid"):
        link(kernel).apply(SPEC)
    assert kernel.clean


def test_a_record_without_its_owner_is_cleared_at_the_next_start(own_locks: Path) -> None:
    kernel = Kernel()
    dead = link(kernel)
    dead.apply(SPEC)
    assert dead._lock is not None
    dead._lock.release()  # what the kernel does when a process is killed
    with link(kernel).applied(SPEC):
        pass
    assert kernel.clean
    assert not list(own_locks.glob("link-*.json"))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"interface": 3}', "null", '"x"'])
def test_a_damaged_record_is_dropped(own_locks: Path, text: str) -> None:
    own_locks.mkdir()
    (own_locks / "link-wlan0-1.json").write_text(text)
    assert leftovers.read(own_locks / "link-wlan0-1.json") is None
    assert leftovers.sweep(Commands(Kernel())) == []
    assert not list(own_locks.glob("link-*.json"))


def test_a_record_of_another_network_namespace_is_kept(own_locks: Path) -> None:
    own_locks.mkdir()
    owner = leftovers.here("wlan0", "agnn-ifb0", None, None)
    path = own_locks / "link-wlan0-1.json"
    path.write_text(json.dumps(vars(owner) | {"namespace": 1}))
    assert leftovers.sweep(Commands(Kernel())) == []
    assert path.exists()
