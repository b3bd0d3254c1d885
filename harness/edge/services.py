"""Hears over the broker what the edge answered, and the edge's own account of how long that took it.

What comes over a broker was written by anybody who can reach it. So each question has one answer and one account, both
checked; anything else voids the sample with the reason, and the run goes on.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.broker import listener, mqtt
from harness.broker.listener import Listener
from harness.contracts.errors import BenchFailed
from harness.contracts.problems import first_problem
from harness.edge import tag
from harness.edge.payload import HEADER_BYTES, sequence_of

log = logging.getLogger(__name__)

_MOST_BYTES = 512  # of an account
_MOST_ANSWER = 1 << 20
_LATE_S = 1.0  # that the answer to a question is waited for whose device is gone
_MOST_HEARD = 16  # messages of a kind that are kept of one question; two are too many already
_CURE = "see who else writes to this broker: docs/lab.md tells how to keep others out"


class Account(BaseModel):
    """Holds what the edge says of one answer."""

    model_config = ConfigDict(frozen=True, strict=True)

    seq: int = Field(ge=0, le=0xFFFF)
    service_us: float = Field(ge=0, le=1e9, allow_inf_nan=False)
    status: int = Field(default=0, ge=0, le=255)
    tag: str = Field(default="", max_length=64)


@dataclass
class Heard:
    """Holds what came on one device's topics since its question."""

    sequence: int
    accounts: list[Account] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)
    problem: str = ""  # the first account that is none
    closed: bool = False  # the device has its result: nothing of it is under way


class Services:
    """Keeps what was heard of the question that each device has open.

    Args:
        key: of the edge's tags; None where it makes none.
        sees_answers: are the answers heard as well as the accounts?
    """

    def __init__(self, key: str | None = None, *, sees_answers: bool = False) -> None:
        self._key = key
        self._sees_answers = sees_answers
        self._open: dict[str, Heard] = {}
        self._news = threading.Condition()
        self.listener: Listener | None = None

    def expect(self, prefix: str, sequence: int) -> None:
        """Begin anew for a device that is about to ask: what came before belongs to an earlier question, and so do
        accounts of another sequence number.

        A sample that is taken again asks by the same number. The answer to the lost question may still be on its way
        and would look like a second one to this, so it is waited for, as long as an edge may take.
        """
        with self._news:
            before = self._open.get(prefix)
            if before is not None and before.sequence == sequence and not before.closed:
                self._news.wait_for(lambda: self._whole(before), _LATE_S)
            self._open[prefix] = Heard(sequence)

    def close(self, prefix: str) -> None:
        """Note that the device has its result without an answer: nothing more will come."""
        with self._news:
            if prefix in self._open:
                self._open[prefix].closed = True

    def account_ms(self, prefix: str, most_ms: float, timeout_s: float = 3.0) -> float | None:
        """Return the wall time of the service of the open question, ms; None when the edge gave no account in time.

        Args:
            most_ms: how long the device can have waited.

        Raises:
            BenchFailed: what was heard is not one answer and one account of it.
        """
        with self._news:
            heard = self._open[prefix]
            self._news.wait_for(lambda: self._whole(heard), timeout_s)
            heard.closed = True
            return self._judged(prefix, heard, most_ms)

    def hear(self, topic: str, data: bytes) -> None:
        """Take in one message, whatever it is. Never raises for what it was sent."""
        prefix, _, kind = topic.rpartition("/")
        with self._news:
            heard = self._open.get(prefix)
            if heard is None:
                return  # nobody has asked there
            if kind == "down":
                # The late answer to a board that was lost is not this question's, and its device does not take it.
                late = len(data) >= HEADER_BYTES and sequence_of(data) != heard.sequence
                if not late and len(heard.answers) < _MOST_HEARD:
                    heard.answers.append(data[:_MOST_ANSWER])
            elif kind == "service":
                try:
                    account = _account(data)
                    if account.seq == heard.sequence and len(heard.accounts) < _MOST_HEARD:
                        heard.accounts.append(account)
                except ValueError as e:
                    heard.problem = heard.problem or str(e)
                    log.info("no account of a service: %s", e)
            self._news.notify_all()

    def check(self) -> None:
        """Check that somebody is listening. Raises BenchError when nobody is."""
        if self.listener is not None:
            self.listener.check()

    def _whole(self, heard: Heard) -> bool:
        return bool(heard.problem) or (bool(heard.accounts) and (bool(heard.answers) or not self._sees_answers))

    def _judged(self, prefix: str, heard: Heard, most_ms: float) -> float | None:
        if heard.problem:
            raise BenchFailed(f"a bad account of the edge's service came ({heard.problem})", cure=_CURE)
        if len(heard.answers) > 1:
            raise BenchFailed(f"more than one answer came on {prefix}/down to one question", cure=_CURE)
        if len(heard.accounts) > 1:
            raise BenchFailed(f"more than one account came on {prefix}/service of one question", cure=_CURE)
        if not heard.accounts:
            if self._key is not None:
                raise BenchFailed("the edge gave no account of the answer that the device took", cure=_CURE)
            return None
        (account,) = heard.accounts
        if self._sees_answers and not heard.answers:
            raise BenchFailed(
                f"the bench did not see the answer on {prefix}/down", cure="let its account read it: docs/lab.md"
            )
        service_ms = account.service_us / 1e3
        if service_ms > most_ms:
            raise BenchFailed(
                f"the edge accounts for {service_ms:.3f} ms, the device waited {most_ms:.3f} ms at most", cure=_CURE
            )
        if self._key is not None:
            self._check_tag(self._key, prefix, account, heard.answers)
        return service_ms

    def _check_tag(self, key: str, prefix: str, account: Account, answers: list[bytes]) -> None:
        vouched = [tag.right(account.tag, key, prefix, account.seq, int(account.service_us), one) for one in answers]
        if vouched != [True]:
            raise BenchFailed(f"the answer on {prefix}/down is not the one that the edge vouches for", cure=_CURE)


def _account(data: bytes) -> Account:
    """Return the account that `data` is. Raises ValueError for anything else."""
    if len(data) > _MOST_BYTES:
        raise ValueError(f"{len(data)} bytes")
    try:
        return Account.model_validate_json(data)
    except ValidationError as e:
        raise ValueError(first_problem(e, Account)[0]) from None


@contextmanager
def listening(
    address: mqtt.BrokerAddress, root: str, key: str | None = None, timeout_s: float = 15.0
) -> Iterator[Services]:
    """Listen to answers and accounts below `root` for the duration of the block.

    Args:
        key: of the edge's tags; None where it makes none.

    Raises:
        BenchError: the broker can't be reached or does not answer.
    """
    services = Services(key, sees_answers=True)
    topics = [f"{root}/+/service", f"{root}/+/down"]
    with listener.listening(address, "bench-services", topics, services.hear, timeout_s) as services.listener:
        yield services
