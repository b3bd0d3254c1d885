"""What is heard of an edge: one answer and one account a question, both checked; all else voids the sample."""

from __future__ import annotations

import json
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.commands import run
from harness.contracts.errors import BenchFailed
from harness.edge import elsewhere, payload, tag
from harness.edge.launch import Calibrated
from harness.edge.services import Services
from harness.host import cli
from harness.runs.measurements import METRICS, STAGES

KEY = "k"
ANSWER = payload.reply(payload.Status.OK, 7, 0xCAFE, np.zeros(4, np.float32))


def _asked(*messages: tuple[str, bytes], key: str | None = None) -> Services:
    services = Services(key, sees_answers=True)
    services.expect("p", 7)
    for kind, data in messages:
        services.hear(f"p/{kind}", data)
    return services


def _account(service_us: object = 1500, sequence: object = 7, **more: object) -> bytes:
    return json.dumps({"seq": sequence, "service_us": service_us, "status": 0} | more).encode()


def _judged(services: Services, most_ms: float = 1000.0) -> float | None:
    return services.account_ms("p", most_ms, timeout_s=0.0)


def test_one_answer_with_one_account_is_the_service_time() -> None:
    assert _judged(_asked(("down", ANSWER), ("service", _account()))) == 1.5
    assert _judged(_asked()) is None, "an edge without tags may be silent"


def test_an_old_account_is_not_taken_for_a_new_one() -> None:
    services = _asked(("down", ANSWER), ("service", _account()))
    services.expect("p", 7)
    assert _judged(services) is None


def test_what_comes_where_nobody_asked_is_not_kept() -> None:
    services = Services()
    for prefix in range(5000):
        services.hear(f"p{prefix}/service", _account())
    assert services._open == {}


@pytest.mark.parametrize(
    "account",
    [
        _account(-500_000),
        _account(float("nan")),
        _account(float("inf")),
        b'{"seq": 7, "service_us": 1' + b"0" * 400 + b"}",
        b'{"seq": 7, "service_us": 1' + b"0" * 9000 + b"}",
        b"[" * 100_000 + b"]" * 100_000,
        b'{"seq": 7, "service_us": ' + b"[" * 200 + b"]" * 200 + b"}",
        _account(1e10),
        _account("1500"),
        _account(True),
        _account(sequence=1 << 16),
        _account(sequence=-1),
        _account(None),
        b"null",
        b"\xff\xfe",
        b"",
    ],
)
def test_a_bad_account_voids_the_sample_with_its_reason(account: bytes) -> None:
    with pytest.raises(BenchFailed, match="bad account"):
        _judged(_asked(("down", ANSWER), ("service", account), ("service", _account())))


def test_an_account_of_more_than_the_device_waited_voids_the_sample() -> None:
    with pytest.raises(BenchFailed, match=r"accounts for 1\.500 ms, the device waited 1\.000 ms"):
        _judged(_asked(("down", ANSWER), ("service", _account())), most_ms=1.0)


def test_a_late_account_of_another_question_is_left_out() -> None:
    assert _judged(_asked(("down", ANSWER), ("service", _account(9000, 8)), ("service", _account()))) == 1.5
    assert _judged(_asked(("down", ANSWER), ("service", _account(sequence=8)))) is None


def test_two_answers_or_accounts_of_one_question_void_the_sample() -> None:
    with pytest.raises(BenchFailed, match="more than one answer"):
        _judged(_asked(("down", ANSWER), ("down", ANSWER), ("service", _account())))
    with pytest.raises(BenchFailed, match="more than one account"):
        _judged(_asked(("down", ANSWER), ("service", _account()), ("service", _account())))
    many = [("down", ANSWER), *[("service", _account())] * 5000]
    assert len(_asked(*many)._open["p"].accounts) <= 16, "memory is bounded"


def test_the_late_answer_to_an_earlier_question_does_not_void_this_one() -> None:
    """A board that is killed leaves a question whose answer comes while the next one is open."""
    late = payload.reply(payload.Status.OK, 6, 0xCAFE, np.zeros(4, np.float32))
    assert _judged(_asked(("down", late), ("down", ANSWER), ("service", _account()))) == 1.5


def test_the_answer_to_a_lost_question_is_waited_for_before_it_is_asked_again() -> None:
    """A sample that is taken again has the same number: its first answer would be a second one to the next question."""
    services = _asked()  # and the board is killed

    def answer() -> None:
        services.hear("p/down", ANSWER)
        services.hear("p/service", _account(9000))

    late = threading.Timer(0.05, answer)
    late.start()
    services.expect("p", 7)
    late.join()
    services.hear("p/down", ANSWER)
    services.hear("p/service", _account())
    assert _judged(services) == 1.5


def test_nothing_is_waited_for_where_the_device_has_its_result(monkeypatch: pytest.MonkeyPatch) -> None:
    services = _asked()
    monkeypatch.setattr(services._news, "wait_for", lambda *_: pytest.fail("waited"))
    services.close("p")  # it exited early
    services.expect("p", 7)
    services.expect("p", 8)


def test_an_answer_that_the_edge_does_not_vouch_for_voids_the_sample() -> None:
    right = _account(tag=tag.of(KEY, "p", 7, 1500, ANSWER))
    assert _judged(_asked(("down", ANSWER), ("service", right), key=KEY)) == 1.5
    forged = payload.reply(payload.Status.OK, 7, 0xCAFE, np.ones(4, np.float32))
    for answer, account in (
        (forged, right),
        (ANSWER, _account()),
        (ANSWER, _account(1501, tag=tag.of(KEY, "p", 7, 1500, ANSWER))),
        (ANSWER, _account(tag=tag.of("guessed", "p", 7, 1500, ANSWER))),
        (ANSWER, _account(tag="\N{SNOWMAN}")),
    ):
        with pytest.raises(BenchFailed, match="vouches"):
            _judged(_asked(("down", answer), ("service", account), key=KEY))
    with pytest.raises(BenchFailed, match="no account"):
        _judged(_asked(("down", ANSWER), key=KEY))
    with pytest.raises(BenchFailed, match="did not see the answer"):
        _judged(_asked(("service", right), key=KEY))


@given(st.binary(max_size=600), st.sampled_from(["service", "down", "up", ""]))
def test_noise_is_never_a_number_nor_an_exception(noise: bytes, kind: str) -> None:
    services = _asked((kind, noise))
    try:
        assert _judged(services) is None
    except BenchFailed:
        assert kind == "service"


def test_an_announcement_that_is_none_is_left_out() -> None:
    right = elsewhere.announcement([{"scheme": "s", "weights": "0123abcd", "service_us": 5.0}])
    assert elsewhere.read_announcement(right) == [Calibrated("s", "0123abcd", 5.0)]
    for noise in (
        b"[" * 60_000,
        b'{"ready": 1}',
        right.replace(b"5.0", b"1" + b"0" * 400),
        right.replace(b"5.0", b"NaN"),
        right.replace(b"5.0", b"-1"),
        b"\xff",
    ):
        assert elsewhere.read_announcement(noise) is None


@given(st.lists(st.floats(0, 1000, allow_nan=False), min_size=5, max_size=5))
def test_a_timeline_shows_every_stage_that_took_time(values: list[float]) -> None:
    total, begin = sum(values), 0.0
    for stage, value in zip(STAGES, values, strict=True):
        shown = run.timeline(stage, begin, value, total)
        assert len(shown) <= 60
        assert bool(shown.strip()) is (value > 0)
        begin += value


def test_one_inference_is_shown_with_sources_and_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    row: dict[str, Any] = {"image": 4, "rate_bps": 6e6, "predicted": 1, "label": 1, "exited": False, "codec": "lzw"}
    row |= {f"{stage}_ms": 2.0 for stage in STAGES} | {"total_ms": 10.0, "remote_wall_ms": 3.0, "symbols": 48}
    row |= {"payload_bytes": 500, "mqtt_bytes": 525, "wire_bytes": 591}
    row |= {metric.source_column: "modelled" for metric in METRICS.values()}
    run.show(cli.console(), row, "AgileNN", "Times modelled.")
    said = capsys.readouterr().out
    for words in ("AgileNN, image 4 at 6 Mbit/s", "10.000", "class 1, label 1: right", "wire up 591 B", "3.000 ms"):
        assert words in said
