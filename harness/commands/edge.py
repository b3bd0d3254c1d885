"""`python -m harness.edge`: serve the remote halves of artefact folders to devices behind a broker."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import queue
import re
import secrets
import socket
import sys
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from harness.broker import given as given_broker
from harness.broker import mqtt
from harness.broker.listener import Listener
from harness.broker.section import broker_url
from harness.contracts.description import load_description
from harness.contracts.errors import BenchError
from harness.edge import elsewhere, tag
from harness.edge.payload import HEADER_BYTES, MAX_BODY, Status, reply, sequence_of
from harness.edge.server import EdgeServer, Served, load
from harness.host import cli, processes, registry
from harness.lab import labfile

log = logging.getLogger("harness.edge")

PASSWORD_VARIABLE = "AGILENN_MQTT_PASSWORD"
_STDIN = 0
_WAITING = 64  # payloads that may wait; more are answered "busy"


def parser() -> cli.Parser:
    """Return the command line."""
    p = cli.Parser(prog="python -m harness.edge", description=__doc__)
    p.add_argument("artefacts", nargs="+", type=Path, metavar="DIR", help="artefact folders (…/<data set>/<scheme>)")
    p.add_argument("--broker", metavar="HOST:PORT", help="or mqtts://HOST:PORT; default: [broker] url of the lab file")
    p.add_argument("--user", default="", help=f"broker user; the password comes from ${PASSWORD_VARIABLE}")
    p.add_argument("--ca", type=Path, metavar="FILE", help="PEM of who may sign the broker's certificate")
    p.add_argument("--name", metavar="N", help="announce this server so: [edge] host of the bench (default: host name)")
    p.add_argument("--root", default="agile/+", help="topic root; serves ROOT/+/up (default: %(default)s)")
    p.add_argument("--with-parent", action="store_true", help="end when stdin closes")
    cli.add_lab(p)
    cli.add_common(p)
    return p


def main(argv: list[str]) -> int:
    """Serve until told to end."""
    options = parser().parse_args(argv)
    cli.set_up_logging(options.verbose)
    address = _address(options)
    mqtt.check_open(address)
    key = _key(options)
    ended, calibrate = threading.Event(), threading.Event()
    if options.with_parent:
        processes.die_with_parent()
        threading.Thread(target=_watch_parent, args=(ended, calibrate), daemon=True).start()
    else:
        calibrate.set()
    server, served = _prepare(options.artefacts)
    # The bench compiles firmware meanwhile: it says when the machine is quiet enough to take the time.
    calibrate.wait()
    ready = [] if ended.is_set() else [_calibrated(server, one) for one in served]
    name = None if options.with_parent else options.name or socket.gethostname()
    if name and not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name):
        raise BenchError(f"--name '{name}' is no name", cure="use letters, digits, dot, dash")
    _serve(server, ready, address, options.root, ended, name, key)
    return 0


def _key(options: argparse.Namespace) -> str | None:
    """Return the key of the tags: from the bench that started this server, or from the lab file that both read."""
    if options.with_parent:
        return os.environ.pop(tag.KEY_VARIABLE, "") or None
    secret = labfile.load().file.edge.key
    return secret.read() if secret else None


def _address(options: argparse.Namespace) -> mqtt.BrokerAddress:
    if options.broker is None:
        section = labfile.load().file.broker
        if section.url is None:
            raise BenchError("no broker is given", cure="give --broker, or a --lab file with [broker] url")
        return given_broker.address(section, "edge")
    text = options.broker if "://" in options.broker else f"mqtt://{options.broker}"
    try:
        url = broker_url(text)
        port = urlsplit(text).port
    except ValueError:
        port = None
    if port is None:
        raise BenchError(f"--broker '{options.broker}' is no address", cure="give HOST:PORT or mqtts://HOST:PORT")
    password = os.environ.get(PASSWORD_VARIABLE, "")
    return mqtt.BrokerAddress(url.host, port, options.user, password, url.tls, options.ca)


def _calibrated(server: EdgeServer, one: Served) -> dict[str, Any]:
    return {
        "scheme": one.description.scheme,
        "weights": f"{one.weights:08x}",
        "service_us": server.calibrate(one),
    }


def _prepare(folders: list[Path]) -> tuple[EdgeServer, list[Served]]:
    from testbeds.firmware.host.hostlib import codec_library  # noqa: PLC0415 - compiles the C codecs at first use

    served: list[Served] = []
    for folder in folders:
        if one := load(folder, registry.scheme(load_description(folder).scheme)):
            served.append(one)
    return EdgeServer(served, codec_library()), served


def _serve(
    server: EdgeServer,
    ready: list[dict[str, Any]],
    address: mqtt.BrokerAddress,
    root: str,
    ended: threading.Event,
    name: str | None,
    key: str | None,
) -> None:
    waiting: queue.Queue[tuple[str, bytes]] = queue.Queue(_WAITING)

    def hear(topic: str, data: bytes) -> None:
        prefix = topic.removesuffix("/up")
        if len(data) > MAX_BODY + HEADER_BYTES:
            log.warning("dropped a message of %d bytes", len(data))
            return
        try:
            waiting.put_nowait((prefix, data))
        except queue.Full:
            ear.client.publish(f"{prefix}/down", reply(Status.BUSY, sequence_of(data), 0), qos=0)

    def announce() -> None:
        if name:
            ear.client.publish(elsewhere.topic(name), elsewhere.announcement(ready), qos=1, retain=True)

    ear = Listener(address, f"edge-{secrets.token_hex(4)}", [f"{root}/+/up"], hear, connected=announce)
    if name:
        ear.client.will_set(elsewhere.topic(name), b"", qos=1, retain=True)
    ear.start()
    try:
        while not ear.subscribed.wait(0.05):
            if ended.is_set() or ear.refused:
                break
            ear.check()
        if ear.subscribed.is_set():
            sys.stdout.write(json.dumps({"ready": ready}) + "\n")
            sys.stdout.flush()
            _answer(server, ear, waiting, ended, key)
    finally:
        if name:
            with contextlib.suppress(ValueError, RuntimeError):  # not connected: the will has told it
                ear.client.publish(elsewhere.topic(name), b"", qos=1, retain=True).wait_for_publish(2)
        ear.close()
    if ear.refused:
        raise BenchError(
            f"broker {address} refused the edge: {ear.refused}", cure=f"check user and ${PASSWORD_VARIABLE}"
        )


def _answer(
    server: EdgeServer,
    ear: Listener,
    waiting: queue.Queue[tuple[str, bytes]],
    ended: threading.Event,
    key: str | None,
) -> None:
    while not ended.is_set() and not ear.refused:
        ear.check()
        try:
            prefix, data = waiting.get(timeout=0.1)
        except queue.Empty:
            continue
        answer = server.answer(data)
        ear.client.publish(f"{prefix}/down", answer.data, qos=0)
        said: dict[str, Any] = {"seq": answer.sequence, "service_us": answer.service_us, "status": int(answer.status)}
        if key:
            said["tag"] = tag.of(key, prefix, answer.sequence, answer.service_us, answer.data)
        ear.client.publish(f"{prefix}/service", json.dumps(said), qos=0)


def _watch_parent(ended: threading.Event, calibrate: threading.Event) -> None:
    """Watch stdin: anything on it means calibrate now, and its end is our end."""
    with contextlib.suppress(OSError):
        # Not through sys.stdin: a thread that waits inside its buffer makes the interpreter abort when it ends.
        while os.read(_STDIN, 64):
            calibrate.set()
    ended.set()
    calibrate.set()
    # The main thread may be loading networks and would not look for a while.
    late = threading.Timer(3.0, os._exit, (1,))
    late.daemon = True
    late.start()


if __name__ == "__main__":
    sys.exit(cli.way_in(main))
