"""Leads from what the user named (a port, a testbed, an image) to an open serial port with a device behind it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import serial

from harness.artefacts import artefacts
from harness.contracts import scratch
from harness.contracts.errors import BenchError
from harness.contracts.testbed import SerialPort, Source
from harness.host import registry
from harness.mlperf import dialect, networks
from harness.mlperf.faults import Faults, FaultyLine
from harness.mlperf.lines import PtyDevice
from harness.mlperf.standin import StandinDut

STANDIN = "stand-in"


@dataclass(frozen=True)
class Request:
    """Says which device is meant.

    Attributes:
        testbed: a testbed's name, or `stand-in`, or "" with a port.
        port: a serial device to open instead of the testbed's own.
        baud: of `port`.
        image: an image to flash; None = ours of `network`, else of `scheme`, `dataset` and `profile`.
        network: see harness.mlperf.networks.
        standin_infer_us, faults: of the stand-in.
    """

    testbed: str
    port: str = ""
    baud: int = 115_200
    image: Path | None = None
    network: str = ""
    scheme: str = "local_only"
    dataset: str = "cifar10"
    profile: str = "compact"
    standin_infer_us: int = 50_000
    faults: Faults = field(default_factory=Faults)


@dataclass(frozen=True)
class Access:
    """Holds an open way to a device.

    Attributes:
        label: for messages.
        system: for the results layout.
        real_time: its clock runs as the host's does.
        time_source: where its laps come from.
        chunk_bytes: input bytes that it takes in one command.
        remarks: what must be said beside a time, such as a cycle model's error.
    """

    port: SerialPort
    label: str
    system: str
    real_time: bool
    time_source: Source
    remarks: str = ""
    chunk_bytes: int = dialect.CHUNK_BYTES


@contextmanager
def opened(request: Request) -> Iterator[Access]:
    """Open the device of `request`, and give it back at the end of the block.

    Raises:
        BenchError: it can't be opened, flashed or built; TestbedAbsent when the board is not there.
    """
    with ExitStack() as stack:
        if request.port:
            yield _port(request, stack)
        elif request.testbed == STANDIN:
            yield _standin(request, stack)
        else:
            yield _testbed(request, stack)


def check(request: Request) -> None:
    """Check what can be known without a device. Raises BenchError for a request that can't be met."""
    if request.network and request.image:
        raise BenchError("--network and --image were both given", cure="choose one: an image has its network")
    if request.network and (request.port or request.testbed == STANDIN):
        raise BenchError("--network needs a testbed that can be flashed", cure="try --testbed virtual")
    if request.image is not None:
        if request.port or request.testbed == STANDIN:
            where = request.port or "the stand-in"
            raise BenchError(f"--image can't be put on {where}", cure="flash it yourself, or name a testbed")
        if not request.image.is_file():
            raise BenchError(f"{request.image} is no file", cure="give an .elf, .bin or .hex image")
    if not request.port and not request.testbed:
        raise BenchError("no device was named", cure="give --testbed X or --port DEVICE")
    if request.testbed and request.testbed != STANDIN:
        try:
            registry.check_name(registry.TESTBEDS, "testbed", request.testbed)
        except BenchError as e:
            raise BenchError(e.what, cure=f"{e.cure}, {STANDIN}") from e


def _port(request: Request, stack: ExitStack) -> Access:
    port = _serial(request.port, request.baud)
    stack.callback(port.close)
    system = request.testbed or Path(request.port).name
    return Access(port, request.port, system, real_time=True, time_source="measured")


def _serial(path: str, baud: int) -> serial.Serial:
    try:
        return serial.Serial(path, baud, timeout=0.05, write_timeout=10, exclusive=True)
    except (serial.SerialException, OSError, ValueError) as e:
        reason = getattr(e, "strerror", None) or str(e)
        raise BenchError(
            f"{path} can't be opened ({reason})", cure="check that it is there, yours to open and not in use"
        ) from e


def _standin(request: Request, stack: ExitStack) -> Access:
    device = StandinDut(infer_us=request.standin_infer_us)
    pty = stack.enter_context(PtyDevice(FaultyLine(device, request.faults)))
    port = _serial(pty.path, request.baud)
    stack.callback(port.close)
    remarks = f"no network runs: an inference is set to {request.standin_infer_us} us"
    return Access(port, "the stand-in", STANDIN, real_time=False, time_source="assumed", remarks=remarks)


def _testbed(request: Request, stack: ExitStack) -> Access:
    bed = registry.testbed(request.testbed)
    stack.callback(bed.close)
    bed.check()
    bed.flash(request.image or _our_image(request, bed.description.target))
    bed.reset()
    port = bed.open()
    return Access(
        port,
        f"testbed {bed.name}",
        bed.name,
        real_time=bed.clock.kind == "host",
        time_source=bed.description.time_source,
        remarks=bed.description.remarks,
        chunk_bytes=dialect.CHUNK_BYTES if request.image else dialect.OUR_CHUNK_BYTES,
    )


def _our_image(request: Request, target: str) -> Path:
    from testbeds.firmware.toolchain.build import build  # noqa: PLC0415 - found late, like every testbed

    if request.network:
        with scratch.folder("mlperf") as folder:
            networks.write_artefact(request.network, Path(folder))
            return build(Path(folder), target)
    artefact = artefacts.find(request.scheme, request.dataset, request.profile)
    if not artefact.description.graph or artefact.description.local_logits_output < 0:
        raise BenchError(
            f"{request.scheme} has no network that ends on the device", cure="choose another --scheme, or give --image"
        )
    return build(artefact.folder, target)
