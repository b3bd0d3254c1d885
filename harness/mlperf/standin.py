"""Plays a device that speaks the dialect: product code beside the client, and the same tests run on both it and C.

Its time is virtual: a counter of microseconds that inferences and serial bytes move on, so that what it tells does not
depend on the host. Its "network" is a function of the input bytes, given or the built-in checksum one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from harness.mlperf.dialect import COMMAND_CHARS

Network = Callable[[bytes], list[float]]
MAX_INPUT_BYTES = 65_536
MAX_INFERENCES = 1_000_000


def checksum_network(classes: int) -> Network:
    """Return a "network" whose label is the byte sum of its input modulo `classes`: 0.9 there, the rest shared."""

    def run(data: bytes) -> list[float]:
        rest = round(0.1 / (classes - 1), 3)
        scores = [rest] * classes
        scores[sum(data) % classes] = 0.9
        return scores

    return run


@dataclass
class StandinDut:
    """Plays the device: `feed` bytes from the host, get its answer's bytes.

    Args:
        network: input bytes -> scores.
        infer_us: what one inference takes on its clock.
        input_bytes: what its network takes; 0 = any size.
        baud: moves its clock by ten bits for each byte sent or received; 0 = serial time is not counted.
        gpio_timestamps: as an image in energy mode: `timestamp` is a pulse on a pin and says nothing.
    """

    network: Network = field(default_factory=lambda: checksum_network(10))
    infer_us: int = 50_000
    input_bytes: int = 0
    name: str = "stand-in"
    model: str = "ic01"
    baud: int = 115_200
    gpio_timestamps: bool = False
    clock_us: float = 0.0
    _command: bytearray = field(default_factory=bytearray)
    _buffer: bytearray = field(default_factory=bytearray)
    _expected: int = 0
    _out: list[str] = field(default_factory=list)
    _scores: list[float] = field(default_factory=list)

    def boot(self) -> bytes:
        """Return what it says when it starts; its memory is empty then."""
        self._command.clear()
        self._buffer.clear()
        self._expected = 0
        self._scores = []
        self._say(f"m-timestamp-mode-{'energy' if self.gpio_timestamps else 'performance'}")
        self._timestamp()
        self._say("m-init-done")
        self._say("m-ready")
        return self._flush()

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the host, and return what the device sends meanwhile."""
        for byte in data:
            self._pass_bytes(1)
            if byte != ord("%"):
                if len(self._command) <= COMMAND_CHARS:
                    self._command.append(byte)
                continue
            command = bytes(self._command)
            self._command.clear()
            self._run(command)
            self._say("m-ready")
        return self._flush()

    def _run(self, raw: bytes) -> None:
        text = raw.decode("ascii", "replace").strip()
        if len(raw) > COMMAND_CHARS or not text.isprintable() or not text.isascii():
            self._refuse("Not a command")
            return
        word, *rest = text.split() or [""]
        known: dict[str, Callable[[list[str]], None]] = {
            "name": lambda a: self._say(f"m-name-dut-[{self.name}]"),
            "profile": lambda a: self._profile(),
            "timestamp": lambda a: self._timestamp(),
            "help": lambda a: self._say("name profile timestamp db infer results help"),
            "db": self._db,
            "infer": self._infer,
            "results": lambda a: self._results(),
        }
        if word in known:
            known[word](rest)
        else:
            self._refuse(f"Unknown command: {word}")

    def _profile(self) -> None:
        self._say("m-profile-[stand-in]")
        self._say(f"m-model-[{self.model}]")

    def _db(self, arguments: list[str]) -> None:
        if not arguments:
            self._refuse("db needs a subcommand")
        elif arguments[0] == "load":
            self._db_load(_whole(arguments[1:2]))
        elif arguments[0] == "print":
            self._db_print(_whole(arguments[1:2], 16), _whole(arguments[2:3], 0))
        else:
            self._db_bytes(arguments[0])

    def _db_load(self, size: int | None) -> None:
        if size is None or not 0 < size <= MAX_INPUT_BYTES or (self.input_bytes and size != self.input_bytes):
            self._refuse(f"db load needs {self.input_bytes or f'1 to {MAX_INPUT_BYTES}'} bytes")
            return
        self._buffer.clear()
        self._expected = size
        self._say(f"m-[Expecting {size} bytes]")

    def _db_print(self, count: int | None, offset: int | None) -> None:
        if count is None or offset is None:
            self._refuse("db print needs whole numbers")
            return
        shown = self._buffer[offset : offset + count]
        for start in range(0, len(shown), 8):
            self._say("m-buffer-" + shown[start : start + 8].hex("-"))

    def _db_bytes(self, digits: str) -> None:
        room = self._expected - len(self._buffer)
        try:
            data = bytes.fromhex(digits)
        except ValueError:
            self._refuse("db needs pairs of hex digits")
            return
        if room <= 0:
            self._refuse("db load comes first")
            return
        self._buffer += data[:room]
        if len(self._buffer) == self._expected:
            self._say("m-load-done")

    def _infer(self, arguments: list[str]) -> None:
        iterations, warmups = _whole(arguments[0:1], 1), _whole(arguments[1:2], 10)
        if iterations is None or warmups is None or not 0 < iterations <= MAX_INFERENCES or warmups > MAX_INFERENCES:
            self._refuse("infer needs N > 0 and W >= 0")
            return
        if not self._expected or len(self._buffer) != self._expected:
            self._refuse("no input is loaded")
            return
        self._say(f"m-warmup-start-{warmups}")
        self.clock_us += warmups * self.infer_us
        self._say("m-warmup-done")
        self._say(f"m-infer-start-{iterations}")
        self._timestamp()
        self.clock_us += iterations * self.infer_us
        self._scores = self.network(bytes(self._buffer))
        self._timestamp()
        self._say("m-infer-done")
        self._results()

    def _results(self) -> None:
        if self._scores:
            self._say("m-results-[" + ",".join(f"{score:.3f}" for score in self._scores) + "]")
        else:
            self._refuse("nothing was inferred yet")

    def _timestamp(self) -> None:
        if not self.gpio_timestamps:
            self._say(f"m-lap-us-{int(self.clock_us)}")

    def _refuse(self, reason: str) -> None:
        self._say(f"e-[{reason}]")

    def _say(self, line: str) -> None:
        self._out.append(line)
        self._pass_bytes(len(line) + 2)

    def _pass_bytes(self, count: int) -> None:
        if self.baud:
            self.clock_us += count * 10e6 / self.baud

    def _flush(self) -> bytes:
        out = "".join(line + "\r\n" for line in self._out).encode("ascii", "replace")
        self._out.clear()
        return out


def _whole(words: list[str], default: int | None = None) -> int | None:
    """Read a decimal number of at most seven digits; None when it is none, `default` when it isn't there."""
    if not words:
        return default
    return int(words[0]) if words[0].isascii() and words[0].isdigit() and len(words[0]) <= 7 else None
