"""Defines a testbed: one board with its link and probe, found by name through the entry points
`agilenn_bench.testbeds`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Literal, Protocol

from harness.contracts.attachment import Attachment, UsbIdentity
from harness.contracts.clock import Clock
from harness.contracts.errors import BenchError
from harness.contracts.link import Link, LinkSpec
from harness.contracts.probe import PowerTimeline

Source = Literal["measured", "modelled", "assumed", "published"]
Note = Callable[[str, str], None]  # (kind, text): takes a line for the board's log


class SerialPort(Protocol):
    """Defines what the device protocol needs of a port; `serial.Serial` is one."""

    timeout: float | None

    def read(self, size: int = 1) -> bytes: ...

    def write(self, data: bytes) -> int | None: ...

    def reset_input_buffer(self) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Network:
    """Says how the device reaches the edge. It lives in memory only: secrets never reach a file, log or result."""

    broker_host: str
    broker_port: int
    topic_prefix: str
    client_id: str
    ssid: str = "bench"
    wifi_password: str = field(default="", repr=False)
    mqtt_user: str = ""
    mqtt_password: str = field(default="", repr=False)
    tls: bool = False  # the broker wants TLS: for a device that speaks it (`Testbed.speaks_tls`)
    ca_pem: str = ""  # certificates to check the broker by, PEM; public


@dataclass(frozen=True)
class TestbedDescription:
    """Describes a testbed for tables and the manifest."""

    __test__ = False

    name: str
    title: str
    target: str  # firmware build target: stm32f746, native, esp32, host
    clock_hz: int
    ram_bytes: int
    flash_bytes: int
    console_baud: int
    module_baud: int
    time_source: Source  # where local/encode/combine/network times come from
    module_flow_control: bool = False  # the Wi-Fi module's RTS is wired to the device, which heeds it
    remarks: str = ""  # e.g. the stated error of a cycle model
    limits: dict[str, float] = field(default_factory=dict)  # hil test limits, units in the keys
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SampleLog:
    """Records what the testbed itself saw of one sample. None means that this testbed can't tell (never 0)."""

    mqtt_up_bytes: int | None = None  # MQTT packet bytes device -> broker
    mqtt_down_bytes: int | None = None
    wire_up_bytes: int | None = None
    wire_down_bytes: int | None = None
    link_up_ms: float | None = None
    link_down_ms: float | None = None
    serial_up_bytes: int | None = None  # module UART, device -> module, within the network stage
    serial_down_bytes: int | None = None
    serial_up_ms: float | None = None  # time that the serial line alone held the message up
    serial_down_ms: float | None = None
    module_ms: float | None = None  # assumed processing time of the module
    remote_ms: float | None = None  # as charged
    repeated_segments: int | None = None  # TCP segments sent again, both ways
    markers_ms: dict[str, float] = field(default_factory=dict)  # stage -> duration between marker edges
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Crash:
    """Tells of a fault of the firmware: what and where in one line, and further lines such as its registers."""

    what: str
    details: Sequence[str] = ()


class Testbed(ABC):
    """Makes one board usable: flash -> reset -> open -> (device protocol) -> samples -> close."""

    __test__ = False

    name: str
    description: TestbedDescription
    clock: Clock
    link: Link
    speaks_tls: ClassVar[bool] = False  # can the device reach a broker over TLS?
    _listener: Note | None = None

    def attach(self, attachment: Attachment) -> None:
        """Take note of where the lab file says the board is. This is called once, before anything else.

        Raises:
            BenchError: it says something that this testbed has no use for.
        """
        if not attachment.empty:
            raise BenchError(
                f"testbed {self.name} is not attached to anything", cure=f"remove [testbeds.{self.name}] from lab.toml"
            )

    @classmethod
    def usb_identities(cls) -> Sequence[UsbIdentity]:
        """Return what such a board shows on USB; nothing for one that has no cable."""
        return ()

    @property
    def identity(self) -> str:
        """Return what names this very board among all, for its lock; "" where any number can be made."""
        return ""

    @property
    def reaches_loopback(self) -> bool:
        """Say whether the device runs on this host, so that a broker on loopback is enough for it."""
        return True

    @abstractmethod
    def check(self) -> None:
        """Check that the board is there. Raises TestbedAbsent with the cure otherwise. The check is cheap and changes
        nothing.
        """

    def check_programs(self) -> None:  # noqa: B027 - an emulated board needs none
        """Check that the programs which build for the board and flash it are here, before they are needed.

        Raises:
            BenchError: one is not, with the cure.
        """

    @abstractmethod
    def flash(self, image: Path) -> None:
        """Put `image` (an ELF for `description.target`) on the board; this is skipped when it is there already."""

    @abstractmethod
    def reset(self) -> None:
        """Restart the firmware."""

    @abstractmethod
    def open(self) -> SerialPort:
        """Open the console port. Raises BenchError when it can't be opened."""

    def ready(self) -> None:  # noqa: B027 - a real board has nothing to do here
        """Note that the device is associated: an emulated board takes its snapshot."""

    def before_sample(self, seed: int, remote_ms: float | None) -> None:  # noqa: B027
        """Prepare for the next sample: an emulated board restores its snapshot and pins the remote time."""

    @property
    def restores(self) -> bool:
        """Say whether `before_sample` puts the device back to where `ready` left it."""
        return False

    def tell_to(self, listener: Note) -> None:
        """Have what is done to the board (tools that are called) told to `listener` from now on."""
        self._listener = listener

    def note(self, kind: str, text: str) -> None:
        """Tell a line for the board's log to whoever listens."""
        if self._listener is not None:
            self._listener(kind, text)

    def module_lines(self) -> Sequence[str]:
        """Return what device and Wi-Fi module said to one another since this was last asked, passwords masked; nothing
        where the testbed can't tell.
        """
        return ()

    def crash(self) -> Crash | None:
        """Return what the firmware left of a fault since it started; None when it left nothing, or this testbed can't
        tell. The board may be reset by asking: only ask of one that is to be brought up anew.

        Raises:
            BenchError: it could not be read.
        """
        return None

    def sample_log(self) -> SampleLog:
        """Return what the testbed saw of the last sample."""
        return SampleLog()

    def power_timeline(self, log: SampleLog, link: LinkSpec) -> PowerTimeline | None:
        """Return what a modelled board drew in the sample of `log`; None on a real one, whose probe alone can tell."""
        return None

    @property
    def clocks_hz(self) -> tuple[int, ...]:
        """Return the core clocks that the device can be told to run at."""
        return (self.description.clock_hz,)

    @property
    def pins_remote(self) -> bool:
        """Say whether this testbed charges a pinned remote time rather than the one that passes."""
        return False

    @abstractmethod
    def close(self) -> None:
        """Give everything back: processes, ports, files. It is safe to call this twice."""

    def __enter__(self) -> Testbed:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        finally:
            self.link.close()
