"""Takes one sample on a ready board: picture in, stages and bytes out.

Stages are those of docs/architecture.md: `network` is the waiting time less `remote`; the five add up to `total`.
"""

from __future__ import annotations

import logging
from contextlib import nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.contracts.clock import HostClock
from harness.contracts.codecs import CODECS
from harness.contracts.errors import BenchFailed, SampleFailed
from harness.contracts.link import LinkSpec
from harness.contracts.testbed import SampleLog, Source, Testbed
from harness.device.bringup import Board
from harness.device.device import Cancelled, DeviceError, NoAnswer, Refused
from harness.device.messages import Result
from harness.edge.services import Services
from harness.runs.measurements import DETAILS
from harness.runs.sample import Planned, row, with_sources

log = logging.getLogger(__name__)

CYCLES_OVER = 0xFFFF_FFFF  # how the device says that its 32-bit cycle counter went round while it waited


def measure(
    board: Board,
    planned: Planned,
    picture: npt.NDArray[np.uint8],
    label: int,
    *,
    link: LinkSpec | None,
    pinned_ms: float | None,
    services: Services,
) -> dict[str, Any]:
    """Take one sample and return its row of samples.csv.

    Args:
        picture: uint8 [height, width, 3].
        link: what the link is to be; None leaves it as it is.
        pinned_ms: remote time to charge, for a testbed that pins it; None elsewhere and for local schemes.

    Raises:
        SampleFailed: it could not be measured; the board wants `recover`.
    """
    testbed = board.testbed
    sequence = planned.sequence
    retries = board.device.retries
    prefix, clock = board.network.topic_prefix, HostClock()
    services.expect(prefix, sequence)
    board.log.note("sample", f"{planned.key}: {planned.point.scheme}, image {planned.image}")
    try:
        board.before_sample(planned.seed, pinned_ms)
        with testbed.link.applied(link) if link else nullcontext():
            board.device.load(picture.tobytes())
            begin_ms = clock.now_ms()
            result = board.device.infer(sequence)
            took_ms = clock.now_ms() - begin_ms
            certificate = testbed.link.certificate if link else None
    except (Cancelled, Refused) as e:
        board.log.note("sample", f"{planned.key} failed: {e}")
        raise SampleFailed(str(e)) from e
    except DeviceError as e:
        board.log.note("sample", f"{planned.key} failed: {e}")
        crash = board.autopsy() if isinstance(e, NoAnswer) else ""
        raise BenchFailed(f"{crash}: {e.what}" if crash else e.what, cure=e.cure) from e
    except SampleFailed as e:
        board.log.note("sample", f"{planned.key} failed: {e}")
        board.autopsy()  # an emulated board has told in one line, and keeps its registers
        raise
    finally:
        board.overhear()
    told = testbed.sample_log()
    if result.status != "ok":
        raise _ended(result.status, str(told.extra.get("failure") or ""), link, testbed)
    if result.cycles_wait == CYCLES_OVER:
        raise SampleFailed("the device waited longer than its cycle counter counts", cure="raise the rate")
    wall_ms = None
    if result.payload_bytes:
        wall_ms = services.account_ms(prefix, took_ms)
    else:
        services.close(prefix)
    remote_ms = _remote_ms(result, told, pinned_ms, wall_ms)
    values = _values(result, told, remote_ms, wall_ms, pinned=pinned_ms is not None)
    details = {"retries": board.device.retries - retries, "codec": _codec(result), "symbols": result.symbols}
    outcome = {
        "status": "ok",
        "link_verdict": certificate.verdict if certificate else None,
        "predicted": result.label,
        "local_predicted": result.local_label,
        "exited": result.exited,
    }
    return with_sources(row(planned, label) | outcome | details | values, _sources(board, pinned_ms is not None))


def _ended(status: str, why: str, link: LinkSpec | None, testbed: Testbed) -> SampleFailed:
    """Return what to raise for an inference that the device ended by itself.

    Args:
        why: what an emulated board knows of it.
    """
    said = f"the device ended the inference with '{status}'{f' ({why})' if why else ''}"
    # A link that loses packets may lose a whole message, and a slow one may take too long in an emulated board's own
    # time: that is the point's outcome, and stays.
    lossy = link is not None and max(link.up.loss, link.down.loss) > 0
    own = lossy or (testbed.link.modelled and not why)
    return SampleFailed(said) if own and status in ("timeout", "link_down") else BenchFailed(said)


def _remote_ms(result: Result, told: SampleLog, pinned_ms: float | None, wall_ms: float | None) -> float:
    if not result.payload_bytes:
        return 0.0  # the stage did not take place
    if told.remote_ms is not None:
        return told.remote_ms
    if pinned_ms is not None:
        return pinned_ms
    if wall_ms is None:
        raise BenchFailed("the edge gave no account of its service time", cure="check that the edge server is up")
    return wall_ms


def _values(
    result: Result, told: SampleLog, remote_ms: float, wall_ms: float | None, *, pinned: bool
) -> dict[str, Any]:
    stages = {
        "local_ms": result.ms(result.cycles_local),
        "encode_ms": result.ms(result.cycles_encode),
        "network_ms": result.ms(result.cycles_wait) - remote_ms if result.payload_bytes else 0.0,
        "remote_ms": remote_ms,
        "combine_ms": result.ms(result.cycles_combine),
    }
    if stages["network_ms"] < 0:
        said = f"the remote time of {remote_ms:.3f} ms is longer than the device waited"
        if pinned:
            raise SampleFailed(said, cure="check the pinned file")
        raise BenchFailed(said, cure="see who else writes to the broker")
    sent = bool(result.payload_bytes)
    bytes_ = {
        "payload_bytes": result.payload_bytes,
        "mqtt_bytes": told.mqtt_up_bytes if sent else 0,
        "wire_bytes": told.wire_up_bytes if sent else 0,
    }
    values = {name: round(value, 6) for name, value in stages.items()}
    details = {name: getattr(told, name) if sent else None for name in DETAILS}
    return {
        **values,
        "total_ms": round(sum(values.values()), 6),
        "remote_wall_ms": wall_ms,
        **bytes_,
        "device_cycles": result.cycles_local + result.cycles_encode + result.cycles_combine,
        **details,
    }


def _codec(result: Result) -> str | None:
    if not result.payload_bytes:
        return None
    return CODECS[result.codec] if result.codec < len(CODECS) else str(result.codec)


def _sources(board: Board, pinned: bool) -> dict[str, Source]:
    time = board.testbed.description.time_source
    return {
        "local_ms": time,
        "encode_ms": time,
        "network_ms": time,
        "remote_ms": "measured" if board.artefact.offloads else time,  # a pinned one too, on the host that it names
        "combine_ms": time,
        "total_ms": "modelled" if pinned else time,
        "remote_wall_ms": "measured",
        "payload_bytes": "measured",  # counted as sent
        "mqtt_bytes": "measured",
        "wire_bytes": "modelled",  # headers by LinkSpec
        "device_cycles": time,
    }
