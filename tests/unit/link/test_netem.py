"""The commands of a netem link, word by word, and what tc says of them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.errors import BenchError
from harness.contracts.link import Direction, LinkSpec
from harness.link import netem
from harness.link.certificate import close
from harness.link.commands import Commands

SPEC = LinkSpec(
    up=Direction(rate_bps=270e3, delay_ms=12.5, jitter_ms=2.0, loss=0.015, limit_packets=50),
    down=Direction(rate_bps=6e6, delay_ms=3.0, jitter_ms=1.0, distribution="uniform"),
)


class Tool:
    """Stands for tc and ip: answers by the beginning of the command; keeps what it was asked."""

    def __init__(self, answers: dict[str, tuple[int, str]] | None = None) -> None:
        self.answers = answers or {}
        self.asked: list[str] = []

    def __call__(self, argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
        line = " ".join(argv)
        self.asked.append(line)
        found = [v for k, v in self.answers.items() if line.startswith(k)]
        code, text = found[-1] if found else (0, "")
        return subprocess.CompletedProcess(list(argv), code, text if code == 0 else "", text if code else "")


def test_both_directions_word_by_word() -> None:
    assert [" ".join(words) for words in netem.install_argv("wlan0", "agnn-ifb0", SPEC)] == [
        "ip link set dev wlan0 gso_max_segs 1",
        "ip link add name agnn-ifb0 type ifb",
        "ip link set dev agnn-ifb0 gso_max_segs 1 up",
        "tc qdisc replace dev agnn-ifb0 root handle a617: netem rate 270000bit delay 12500.000us 2000.000us "
        "distribution normal loss 1.500000% limit 50",
        "tc qdisc add dev wlan0 handle ffff: ingress",
        "tc filter add dev wlan0 parent ffff: protocol all prio 1 u32 match u32 0 0 "
        "action mirred egress redirect dev agnn-ifb0",
        "tc qdisc replace dev wlan0 root handle a617: netem rate 6000000bit delay 3000.000us 1000.000us limit 1000",
    ]


@given(
    st.builds(
        Direction,
        rate_bps=st.floats(1e3, 1e10),
        delay_ms=st.floats(10, 1e4),
        jitter_ms=st.floats(0, 10),
        loss=st.floats(0, 0.99),
        limit_packets=st.none() | st.integers(1, 10**6),
    )
)
def test_no_token_bucket_ever(shape: Direction) -> None:
    words = [w for argv in netem.install_argv("ap0", "i", LinkSpec(up=shape, down=shape)) for w in argv]
    assert not {"tbf", "htb", "burst", "police"} & set(words)
    assert words.count("netem") == 2 and words.count("gso_max_segs") == 2


# As iproute2 6.1 says it: rates in bytes/s, times in seconds.
def told(shape: Direction, handle: str = netem.HANDLE, kind: str = "netem") -> dict[str, Any]:
    options: dict[str, Any] = {"limit": shape.limit, "rate": {"rate": int(shape.rate_bps / 8), "packetoverhead": 0}}
    if shape.delay_ms:
        options["delay"] = {"delay": shape.delay_ms / 1e3, "jitter": shape.jitter_ms / 1e3, "correlation": 0}
    if shape.loss:
        options["loss-random"] = {"loss": shape.loss, "correlation": 0}
    return {"kind": kind, "handle": handle, "root": True, "refcnt": 2, "options": options}


def test_what_tc_says_is_what_was_asked() -> None:
    tool = Tool(
        {
            "tc -j qdisc show dev wlan0": (0, json.dumps([told(SPEC.down), {"kind": "ingress", "handle": "ffff:"}])),
            "tc -j qdisc show dev i": (0, json.dumps([told(SPEC.up)])),
        }
    )
    read = netem.read_back(Commands(tool), "wlan0", "i", SPEC)
    assert read is not None and close(SPEC, read)
    assert read.down.distribution == "uniform"
    for other in ({"rate_bps": 280e3}, {"delay_ms": 13.0}, {"loss": 0.02}, {"limit_packets": 51}, {"jitter_ms": 3.0}):
        assert not close(SPEC.model_copy(update={"up": SPEC.up.model_copy(update=other)}), read)


@pytest.mark.parametrize(
    "root",
    [told(SPEC.up, handle="8001:"), told(SPEC.up, kind="fq_codel"), {"kind": "noqueue", "handle": "0:", "root": True}],
)
def test_a_qdisc_of_somebody_else_is_no_link_of_ours(root: dict[str, Any]) -> None:
    tool = Tool({"tc -j qdisc show": (0, json.dumps([root]))})
    assert netem.read_back(Commands(tool), "wlan0", "i") is None


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["options", "kind", "x"]), json_values, max_size=3) | st.fixed_dictionaries(
    {"options": st.dictionaries(st.sampled_from(["rate", "delay", "loss-random", "limit"]), json_values)}
))  # fmt: skip
def test_whatever_tc_says_is_a_direction_or_one_clear_error(said: dict[str, Any]) -> None:
    try:
        assert isinstance(netem.parse_netem(said), Direction)
    except BenchError as e:
        assert "\n" not in str(e)


@pytest.mark.parametrize(
    ("answer", "cure"),
    [
        ((2, "Error: Specified qdisc kind is unknown."), "modprobe sch_netem"),
        ((2, "Error: something else"), "modprobe"),
    ],
)
def test_a_kernel_without_netem_is_one_line_with_the_remedy(answer: tuple[int, str], cure: str) -> None:
    tool = Tool({"unshare --user --map-root-user --net tc": answer})
    with pytest.raises(BenchError) as error:
        netem.check_capability(tool)
    assert cure in error.value.cure and "userspace" in error.value.cure
    assert len(tool.asked) == 1  # in a namespace to be thrown away: nothing of the host's was touched


def test_a_kernel_with_netem_says_nothing() -> None:
    netem.check_capability(Tool())


@pytest.mark.parametrize(
    ("said", "cure"),
    [
        ("RTNETLINK answers: Operation not permitted", "root"),
        ('Cannot find device "wlan9"', "interface"),
        ("Error: Specified qdisc kind is unknown.", "sch_netem"),
    ],
)
def test_a_command_that_fails_tells_its_own_words_and_a_cure(said: str, cure: str) -> None:
    commands = Commands(Tool({"tc": (2, said)}))
    with pytest.raises(BenchError) as error:
        commands.do("tc", "qdisc", "add", "dev", "wlan9")
    assert said in error.value.what and cure in error.value.cure
    assert commands.calls[0].argv == ("tc", "qdisc", "add", "dev", "wlan9") and commands.calls[0].code == 2


def test_a_tool_that_is_not_there_is_named() -> None:
    with pytest.raises(BenchError, match="'no-such-tool' is not installed"):
        Commands().do("no-such-tool")
