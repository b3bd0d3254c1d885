"""Runs a stand-in edge as a process: it answers payloads by a fixed function of the symbols, after a delay. No
TensorFlow is needed.

python -m harness.faults.edge HOST:PORT USER ROOT DIR CLASSES DELAY_MS      (password by environment)
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import paho.mqtt.client as paho

from harness.broker import mqtt
from harness.contracts.description import load_description, weights_u32
from harness.edge.server import EdgeServer, Served
from harness.host import processes

PASSWORD_VARIABLE = "AGILENN_MQTT_PASSWORD"


def logits(symbols: npt.NDArray[np.uint8], classes: int) -> npt.NDArray[np.float32]:
    """Return float32 [classes] of uint8 [n]: the sum of every `classes`-th symbol. So a right answer is known
    anywhere.
    """
    return np.array([symbols[c::classes].astype(np.int64).sum() for c in range(classes)], dtype=np.float32)


class FixedModel:
    """Plays the remote half whose answer is `logits`."""

    def __init__(self, symbols: int, classes: int, delay_ms: float = 0.0) -> None:
        self.symbols, self.classes = symbols, classes
        self._delay_s = delay_ms / 1e3

    def warm_up(self) -> None:
        """Do nothing, as it needs none."""

    def infer(self, symbols: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return float32 [classes], after the delay."""
        threading.Event().wait(self._delay_s)
        return logits(symbols, self.classes)

    def infer_batch(self, symbols: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return float32 [n, classes]."""
        return np.stack([logits(one, self.classes) for one in symbols])


def main(argv: list[str]) -> int:
    """Serve until killed, or until the parent is gone."""
    from testbeds.firmware.host.hostlib import codec_library  # noqa: PLC0415 - compiles the C codecs at first use

    processes.die_with_parent()
    broker, user, root, folder, classes, delay_ms = argv
    host, _, port = broker.rpartition(":")
    description = load_description(Path(folder))
    model = FixedModel(description.image_bytes, int(classes), float(delay_ms))
    server = EdgeServer([Served(description, weights_u32(Path(folder)), model)], codec_library())
    address = mqtt.BrokerAddress(host, int(port), user, os.environ.get(PASSWORD_VARIABLE, ""))
    client = mqtt.client(address, "edge-stand-in")

    def on_message(_c: paho.Client, _u: Any, message: paho.MQTTMessage) -> None:
        prefix = message.topic.removesuffix("/up")
        answer = server.answer(bytes(message.payload))
        client.publish(f"{prefix}/down", answer.data)
        client.publish(f"{prefix}/service", f'{{"seq": {answer.sequence}, "service_us": {answer.service_us}}}')

    def on_subscribe(*_: Any) -> None:
        sys.stdout.write("ready\n")
        sys.stdout.flush()

    client.on_connect = lambda c, *_: c.subscribe(f"{root}/+/up")
    client.on_subscribe = on_subscribe
    client.on_message = on_message
    mqtt.connect(client, address)
    client.loop_forever(retry_first_connection=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
