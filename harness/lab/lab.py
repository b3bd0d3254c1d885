"""Opens what every measurement stands on: broker, edge server, the edge's accounts, and boards on their own topics."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.artefacts.artefacts import Artefact
from harness.broker import given as given_broker
from harness.broker import managed as broker
from harness.broker.given import GivenBroker
from harness.broker.managed import Broker
from harness.broker.section import BrokerSection
from harness.contracts import scratch
from harness.contracts.errors import BenchError
from harness.contracts.testbed import Network, Testbed
from harness.device.boardlog import Logs
from harness.device.bringup import Board, BoardSettings
from harness.edge import elsewhere, launch, services, tag
from harness.edge.elsewhere import EdgeElsewhere
from harness.edge.launch import Calibrated, Edge
from harness.edge.services import Services
from harness.lab import broker_address as reach
from harness.lab.labfile import EMPTY, LabSetup
from harness.power.sampling import EnergyMeter

MOST_BOARDS = 100


@dataclass
class Lab:
    """Holds a broker with the edge behind it, up for one run."""

    broker: Broker | GivenBroker
    edge: Edge | EdgeElsewhere | None
    services: Services
    root: str
    setup: LabSetup = EMPTY

    def check(self) -> None:
        """Check that broker and edge are alive. Raises BenchError with the reason when one is not."""
        self.broker.check()
        self.services.check()
        if self.edge:
            self.edge.check()

    def calibrated(self) -> dict[str, Calibrated]:
        """Wait for the edge, and return what it serves, by the weights' u32 in hex."""
        return {one.weights: one for one in self.edge.calibrated()} if self.edge else {}

    def network(self, board: int, testbed: Testbed) -> Network:
        """Return how board number `board`, which is a `testbed`, reaches the edge.

        Every text has the same length in every run and for every board: it is part of the AT commands and of the
        MQTT packets, so a longer topic would take longer.
        """
        if not 0 <= board < MOST_BOARDS:
            raise BenchError(f"a run has at most {MOST_BOARDS} boards", cure="use fewer --jobs")
        wifi = self.setup.wifi(testbed.name)
        address = reach.for_device(self.broker.entered_by("board"), self.setup.file.broker, wifi, testbed)
        run = self.root.rpartition("/")[2]
        host, port = testbed.link.door(address.host, address.port)
        if address.tls and (host, port) != (address.host, address.port):
            raise BenchError(
                "a link that is a detour can't carry TLS: the board would find another name than its certificate's",
                cure="give boards a listener without TLS ([broker] device_url), or shape by netem",
            )
        return Network(
            broker_host=host,
            broker_port=port,
            topic_prefix=f"{self.root}/{board:02d}",
            client_id=f"board-{run}-{board:02d}",
            ssid=wifi.ssid,
            wifi_password=wifi.password.read() if wifi.password else "bench-wifi",
            mqtt_user=address.user,
            mqtt_password=address.password,
            tls=address.tls,
            ca_pem=reach.ca_text(address.ca),
        )


@contextmanager
def opened(artefacts: Sequence[Artefact], setup: LabSetup = EMPTY, *, mosquitto: str | None = None) -> Iterator[Lab]:
    """Open a lab that serves `artefacts`, for the duration of the block. The edge warms up meanwhile."""
    scratch.sweep()
    root = f"agile/{secrets.token_hex(4)}"
    section = setup.file.broker
    if setup.file.edge.host and section.url is None:
        raise BenchError(
            "an edge server on another machine can't reach the bench's own broker", cure="give both one by [broker] url"
        )
    with ExitStack() as held:
        own = held.enter_context(_broker(section, mosquitto))
        remote = [a for a in artefacts if a.offloads]
        try:
            key = _key(setup)
            heard = held.enter_context(services.listening(own.address, root, key if remote else None))
            edge = held.enter_context(_edge(setup, remote, own, root, key)) if remote else None
            yield Lab(own, edge, heard, root, setup)
        except BenchError:
            own.check()  # a dead broker explains a failed edge or board better than they do
            raise


def _broker(section: BrokerSection, mosquitto: str | None) -> AbstractContextManager[Broker | GivenBroker]:
    if section.url:
        return given_broker.running(section)
    if (of_parent := given_broker.shared()) is not None:
        return given_broker.of_parent(of_parent)
    return broker.running(program=mosquitto, section=section)


def _key(setup: LabSetup) -> str | None:
    """Return the key by which the edge vouches for its answers: a new one, or of an edge elsewhere the lab file's."""
    if not setup.file.edge.host:
        return tag.new_key()
    return setup.file.edge.key.read() if setup.file.edge.key else None


def _edge(
    setup: LabSetup, remote: Sequence[Artefact], own: Broker | GivenBroker, root: str, key: str | None
) -> AbstractContextManager[Edge | EdgeElsewhere]:
    if name := setup.file.edge.host:
        return elsewhere.watching(own.address, name, {f"{a.u32:08x}": a.description.scheme for a in remote})
    return launch.running([a.folder for a in remote], own.entered_by("edge"), root, key or "")


@dataclass(frozen=True)
class BoardKind:
    """Names a kind of board: boards that differ in this can't stand in for each other."""

    scheme: str
    settings: BoardSettings


class Boards:
    """Keeps the boards of one worker: opened when first needed, kept, and closed together.

    A testbed of which there is only one is given back before another image is put on it.
    """

    def __init__(
        self,
        lab: Lab,
        make: Callable[[], Testbed],
        artefacts: Mapping[str, Artefact],
        images: Mapping[str, Path],
        *,
        numbers: Iterator[int],
        cancelled: threading.Event,
        logs: Logs | None = None,
    ) -> None:
        self._lab = lab
        self._make = make
        self._artefacts = artefacts
        self._images = images
        self._numbers = numbers
        self._cancelled = cancelled
        self._logs = logs
        self.meter: EnergyMeter | None = None  # what has the probe open, which may feed the boards
        self._open: dict[BoardKind, Board] = {}

    def get(self, kind: BoardKind) -> Board:
        """Return a board of this kind, not necessarily ready."""
        if kind not in self._open:
            testbed = self._make()
            if not many(testbed):
                self.close()
            number = next(self._numbers)
            supply = self._lab.setup.supply(testbed)
            self._open[kind] = Board(
                testbed,
                self._artefacts[kind.scheme],
                self._images[kind.scheme],
                self._lab.network(number, testbed),
                kind.settings,
                cancelled=self._cancelled,
                kept=self._logs.of(testbed, number if many(testbed) else None) if self._logs else None,
                revive=None if supply is None else lambda: supply.cycle(self.meter, self._cancelled),
            )
        return self._open[kind]

    def drop(self, kind: BoardKind) -> None:
        """Give one board back, where there is one of this kind."""
        if (board := self._open.pop(kind, None)) is not None:
            board.close()

    def close(self) -> None:
        """Give every board back."""
        while self._open:
            _, board = self._open.popitem()
            board.close()


def many(testbed: Testbed) -> bool:
    """Say whether several of these can be open at once without one being felt by another. Emulated ones can."""
    return testbed.pins_remote
