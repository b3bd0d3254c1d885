"""Runs a stand-in edge as a process: it answers payloads by a fixed function of the symbols, after a delay. No
TensorFlow is needed.

python -m harness.faults.edge HOST:PORT USER ROOT DIR CLASSES DELAY_MS      (password by environment)
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.broker import mqtt
from harness.broker.listener import Listener
from harness.contracts.description import load_description, weights_u32
from harness.edge import tag
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
    key = os.environ.get(tag.KEY_VARIABLE, "")

    def hear(topic: str, data: bytes) -> None:
        prefix = topic.removesuffix("/up")
        answer = server.answer(data)
        vouched = tag.of(key, prefix, answer.sequence, answer.service_us, answer.data)
        ear.client.publish(f"{prefix}/down", answer.data)
        account = {"seq": answer.sequence, "service_us": answer.service_us, "tag": vouched}
        ear.client.publish(f"{prefix}/service", json.dumps(account))

    ear = Listener(address, "edge-stand-in", [f"{root}/+/up"], hear)
    ear.start()
    ear.wait()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    threading.Event().wait()  # until it is killed
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
