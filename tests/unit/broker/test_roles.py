"""What each role may say and hear, and the listener's thread, which never dies silently."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.broker import mqtt
from harness.broker.listener import Listener
from harness.broker.mqtt import BrokerAddress
from harness.broker.roles import ROLES, USERS, acl_text, covers, may
from harness.contracts.errors import BenchError

LEVELS = st.sampled_from(["a", "b", "+"])


@pytest.mark.parametrize(
    ("allowed", "asked", "right"),
    [
        ("agile/+/+/up", "agile/0a/00/up", True),
        ("agile/+/+/up", "agile/0a/+/up", True),
        ("agile/+/+/up", "agile/0a/#", False),
        ("agile/+/+/up", "agile/0a/00/up/x", False),
        ("agile/+/+/up", "agile/0a/00", False),
        ("agile/0a/+/up", "agile/+/+/up", False),
        ("agile/#", "agile/0a/00/down", True),
        ("agile/#", "agile/#", True),
        ("agile/#", "other/0a", False),
        ("a/+", "#", False),
    ],
)
def test_a_filter_covers_what_it_matches(allowed: str, asked: str, right: bool) -> None:
    assert covers(allowed, asked) is right


@given(
    st.lists(LEVELS, min_size=1, max_size=4),
    st.lists(LEVELS, min_size=1, max_size=4),
    st.lists(st.sampled_from("ab"), min_size=1, max_size=4),
)
def test_a_filter_that_is_covered_matches_nothing_else(allowed: list[str], asked: list[str], topic: list[str]) -> None:
    if covers("/".join(allowed), "/".join(asked)) and covers("/".join(asked), "/".join(topic)):
        assert covers("/".join(allowed), "/".join(topic))


def test_only_the_edge_may_answer_and_only_a_board_ask() -> None:
    for end, owner in (("up", "board"), ("down", "edge"), ("service", "edge")):
        for role in ROLES:
            assert may(role, "publish", f"agile/0a/00/{end}") is (role == owner)
    assert not may("board", "subscribe", "#")
    assert not may("board", "receive", "agile/0a/00/up")
    assert may("bench", "subscribe", "agile/0a/+/down")


def test_the_rules_are_written_for_mosquitto() -> None:
    text = acl_text({"bench": "b", "edge": "e", "board": "d"})
    assert "user d\ntopic write agile/+/+/up\ntopic read agile/+/+/down\n" in text
    assert text.count("topic write agile/+/+/down") == 1
    assert len({len(user) for user in USERS.values()}) == 1, "a longer user would take longer to send"


def test_the_rules_in_the_documentation_are_these() -> None:
    text = (Path(__file__).parents[3] / "docs" / "lab.md").read_text(encoding="utf-8")
    assert f"```\n{acl_text({'bench': 'lab', 'edge': 'edge', 'board': 'board'}).strip()}\n```\n" in text


class _Message:
    payload = b""

    @property
    def topic(self) -> str:
        return b"agile/\xff/up".decode()


def test_a_message_that_can_not_be_heard_costs_only_itself(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[str] = []

    def hear(topic: str, _data: bytes) -> None:
        heard.append(topic)
        raise RecursionError("deep")

    ear = Listener(BrokerAddress("127.0.0.1", 1), "tester", [], hear)
    for message in (_Message(), type("_", (), {"topic": "t", "payload": b""})()):
        ear._on_message(ear.client, None, message)  # type: ignore[arg-type]
    assert heard == ["t"]
    assert "UnicodeDecodeError" in caplog.text
    assert "RecursionError" in caplog.text
    ear.check()


def test_a_thread_that_ends_is_told(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def broken(*_: Any) -> None:
        raise OverflowError("out of the blue")

    monkeypatch.setattr(mqtt.mqtt.Client, "loop_forever", broken)
    ear = Listener(BrokerAddress("127.0.0.1", 1), "tester", [], lambda *_: None)
    with caplog.at_level(logging.CRITICAL):
        thread = threading.Thread(target=ear.client.loop_forever)
        thread.start()
        thread.join(10)
    with pytest.raises(BenchError, match=r"nobody listens to the broker any more \(OverflowError: out of the blue"):
        ear.check()
