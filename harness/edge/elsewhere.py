"""Watches an edge server on another machine: it announces itself at the broker, and is waited for and watched there.

    <host of the edge>$ python -m harness.edge --lab lab.toml --name gpu WEIGHTS…
    <lab.toml>          [edge] host = "gpu"

The announcement is a retained message on `agile/edges/<name>`; the broker takes it away when the edge is gone.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.broker import listener
from harness.broker.listener import Listener
from harness.broker.mqtt import BrokerAddress
from harness.contracts.errors import BenchError
from harness.contracts.problems import first_problem
from harness.edge.launch import Calibrated

log = logging.getLogger(__name__)

_WAIT_S = 10.0
_MOST_BYTES = 65_536


def topic(name: str) -> str:
    """Return where an edge server called `name` announces itself."""
    return f"agile/edges/{name}"


def announcement(ready: list[dict[str, Any]]) -> bytes:
    """Return what it says there: the same as `ready` on its stdout."""
    return json.dumps({"ready": ready}).encode()


class _One(BaseModel):
    """Holds one remote half in an announcement."""

    model_config = ConfigDict(frozen=True)

    scheme: str = Field(max_length=64)
    weights: str = Field(pattern=r"^[0-9a-f]{8}$")
    service_us: float = Field(gt=0, lt=1e9, allow_inf_nan=False)


class _Announcement(BaseModel):
    """Holds what an edge server says when it comes."""

    ready: list[_One] = Field(max_length=64)


def read_announcement(data: bytes) -> list[Calibrated] | None:
    """Return what such a message says; None for one that is empty (gone) or no announcement."""
    if not data or len(data) > _MOST_BYTES:
        return None
    try:
        said = _Announcement.model_validate_json(data)
    except ValidationError as e:
        log.info("no announcement of an edge: %s", first_problem(e, _Announcement)[0])
        return None
    return [Calibrated(one.scheme, one.weights, one.service_us) for one in said.ready]


class EdgeElsewhere:
    """Follows the edge server called `name`, as far as the broker tells. `wanted`: weights (hex) -> scheme it has to
    serve.
    """

    def __init__(self, name: str, wanted: Mapping[str, str]) -> None:
        self.name = name
        self._wanted = wanted
        self._news = threading.Condition()
        self._served: list[Calibrated] | None = None
        self._seen = False
        self.listener: Listener | None = None

    def hear(self, data: bytes) -> None:
        """Take in one message of its topic."""
        with self._news:
            self._served = read_announcement(data)
            self._seen = self._seen or self._served is not None
            self._news.notify_all()

    def calibrated(self) -> list[Calibrated]:
        """Wait until it has announced itself; return what it serves and how long that takes it.

        Raises:
            BenchError: it is not there, or does not serve what is wanted.
        """
        with self._news:
            self._news.wait_for(lambda: self._served is not None, _WAIT_S)
            served = self._served
        if served is None:
            raise BenchError(
                f"no edge server called '{self.name}' has announced itself at the broker",
                cure=f"start it there: python -m harness.edge --lab lab.toml --name {self.name} WEIGHTS…; if it runs "
                f"already, the broker lets its account not write to {topic(self.name)}: name another by [broker] edge",
            )
        missing = {scheme for weights, scheme in self._wanted.items() if weights not in {s.weights for s in served}}
        if missing:
            raise BenchError(
                f"the edge server '{self.name}' does not serve the weights of {', '.join(sorted(missing))}",
                cure="start it there with the weights of this bench",
            )
        return served

    def check(self) -> None:
        """Check that it is still there, as far as the broker tells. Raises BenchError when it was and is not."""
        if self.listener is not None:
            self.listener.check()
        with self._news:
            if self._seen and self._served is None:
                raise BenchError(f"the edge server '{self.name}' is gone", cure="start it again")


@contextmanager
def watching(address: BrokerAddress, name: str, wanted: Mapping[str, str]) -> Iterator[EdgeElsewhere]:
    """Watch the edge server `name` for the duration of the block. Raises BenchError where there is no broker."""
    edge = EdgeElsewhere(name, wanted)
    heard = listener.listening(address, "bench-edge-watch", [topic(name)], lambda _topic, data: edge.hear(data))
    with heard as edge.listener:
        yield edge
