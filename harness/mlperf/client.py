"""Talks to a device that speaks the dialect: commands recover from lost bytes or fail in one line.

The dialect has neither checksums nor sequence numbers, so every command is held against evidence in its answer
(`infer` echoes its counts, `db load` its size, laps lie between two time stamps, results are read twice, inputs are
read back) and repeated when it doesn't fit. After a failure the two sides are brought together again with a command
that no device knows and every device quotes in its refusal: its number tells this answer from a late one.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from harness.contracts.clock import Clock, HostClock
from harness.contracts.errors import BenchError
from harness.contracts.testbed import SerialPort
from harness.mlperf import dialect
from harness.mlperf.dialect import Message

log = logging.getLogger(__name__)

T = TypeVar("T")
M = TypeVar("M", bound=Message)
_QUIET_S = 0.05  # a line is quiet when nothing came for this long
_READ_BYTES = 4096
_READ_BACKS = 3
_MAX_LINES = 20_000  # of one answer: a device that chatters without end is as lost as one that is silent


class DutError(BenchError):
    """Says that the device can't be talked to, or that what it answers can't be believed."""


class _Lost(Exception):
    """Says, within the client, that an answer is missing or doesn't fit its command; it is worth another attempt."""


@dataclass(frozen=True)
class Limits:
    """Holds time-outs and attempts. Seconds are the host's, also where the device's time is virtual."""

    answer_s: float = 5.0
    first_infer_s: float = 60.0  # nothing is known of the device's speed yet
    infer_slack: float = 4.0  # later runs may take this many times what the earlier ones promise
    attempts: int = 8
    sync_attempts: int = 6


@dataclass(frozen=True)
class Inference:
    """Holds one `infer N W`: the device's own laps in microseconds and its results."""

    iterations: int
    warmups: int
    start_us: int
    stop_us: int
    results: tuple[float, ...]

    @property
    def elapsed_us(self) -> int:
        """Return the microseconds between the two laps, warm-ups excluded."""
        return self.stop_us - self.start_us


@dataclass(frozen=True)
class Identity:
    """Holds what the device says of itself."""

    name: str
    profile: str
    model: str


class Dut:
    """Talks to one device.

    Args:
        port: an open serial port; its `timeout` is set here.
        label: what error messages call it, such as `/dev/ttyACM0`.
        limits: time-outs and attempts.
        clock: for time-outs and arrival times: the host's.
        listener: gets every line both ways, for the log.
        read_back: compare each input with what `db print` shows.
        real_time: the device's clock runs as the host's does: laps are held against their arrival times too.
        chunk_bytes: input bytes a `db` command.
    """

    def __init__(
        self,
        port: SerialPort,
        label: str,
        *,
        limits: Limits | None = None,
        clock: Clock | None = None,
        listener: dialect.Listener | None = None,
        read_back: bool = True,
        real_time: bool = False,
        chunk_bytes: int = dialect.CHUNK_BYTES,
    ) -> None:
        self.label = label
        self.limits = limits or Limits()
        self.recovered = 0  # how often something had to be repeated
        self.real_time = real_time
        self._read_back = read_back
        self._chunk_bytes = chunk_bytes
        self._port = port
        self._port.timeout = _QUIET_S
        self._clock = clock or HostClock()
        self._listen = listener or (lambda who, line: None)
        self._reader = dialect.LineReader()
        self._waiting: deque[Message] = deque()  # messages read, not yet looked at
        self._lap_arrivals_ms: list[float] = []
        self._syncs = 0
        self._last_timeout_s = 0.0
        self._infer_s: float | None = None  # host seconds of one inference, once known

    def connect(self) -> Identity:
        """Bring both sides together, then ask who is there.

        Raises:
            DutError: nobody answers, or not in this dialect, or without time stamps.
        """
        try:
            self._sync()
        except _Lost as e:
            raise DutError(
                f"nothing on {self.label} answers in the EEMBC dialect ({e})",
                cure="check the port, its baud rate (115200 by the rules) and that the image speaks the dialect",
            ) from e
        identity = self._try("name", self._identity)
        try:
            self.timestamp_us()
        except DutError as e:
            raise DutError(
                f"the device on {self.label} tells no time stamps",
                cure="build its image in performance mode (in energy mode they are pulses on a pin)",
            ) from e
        return identity

    def timestamp_us(self) -> int:
        """Return the device's clock now, in microseconds."""
        return self._try("timestamp", self._timestamp)

    def run_input(self, data: bytes, iterations: int, warmups: int) -> Inference:
        """Load one input and run `infer iterations warmups` on it; after any fault both are done again.

        Raises:
            DutError: the device refuses, stays silent, or its answers never fit.
        """
        if not data:
            raise DutError("an input of 0 bytes can't be loaded", cure="check the input file")
        problem = ""
        for _ in range(self.limits.attempts):
            self._try(f"db load {len(data)}", lambda: self._load(data))
            try:
                return self._infer(iterations, warmups)
            except _Lost as e:
                problem = str(e)
                self._recover(f"infer {iterations} {warmups}", problem)
        raise self._given_up(f"infer {iterations} {warmups}", problem)

    # --- one attempt each, raising _Lost --------------------------------------------------------------------------

    def _timestamp(self) -> int:
        return _only(self._command("timestamp"), dialect.Lap).value

    def _identity(self) -> Identity:
        name = _only(self._command("name"), dialect.Name).said
        profile = self._command("profile")
        return Identity(name, _only(profile, dialect.Profile).said, _only(profile, dialect.Model).said)

    def _load(self, data: bytes) -> None:
        expecting = _only(self._command(f"db load {len(data)}"), dialect.Expecting).value
        if expecting != len(data):
            raise _Lost(f"it expects {expecting} bytes for {len(data)}")
        chunks = list(dialect.hex_chunks(data, self._chunk_bytes))
        for i, command in enumerate(chunks, start=1):
            done = any(isinstance(m, dialect.LoadDone) for m in self._command(command))
            if done != (i == len(chunks)):
                raise _Lost("it took input bytes twice" if done else "it lost input bytes")
        if self._read_back:
            self._compare(data)

    def _compare(self, data: bytes) -> None:
        shows = False
        for _ in range(_READ_BACKS):  # what is shown is longer than what was sent: it is the likelier one to suffer
            answer = self._command(f"db print {len(data)} 0")
            if b"".join(m.data for m in answer if isinstance(m, dialect.Buffer)) == data:
                return
            shows = shows or bool(answer)
            self.recovered += 1
        if shows:
            raise _Lost("its input buffer differs from what was sent")
        log.warning("%s does not show its buffer (db print): inputs are checked by size only", self.label)
        self._read_back = False

    def _infer(self, iterations: int, warmups: int) -> Inference:
        inferences = iterations + warmups
        before = self._timestamp()
        started_ms = self._clock.now_ms()
        answer = self._command(f"infer {iterations} {warmups}", self._infer_timeout_s(inferences))
        infer_s = (self._clock.now_ms() - started_ms) / 1e3 / inferences
        arrivals_ms = list(self._lap_arrivals_ms)
        if _only(answer, dialect.WarmupStart).value != warmups or _only(answer, dialect.InferStart).value != iterations:
            raise _Lost("it ran another number of inferences")
        _only(answer, dialect.WarmupDone)
        _only(answer, dialect.InferDone)
        results = _only(answer, dialect.Results).values
        laps = [m.value for m in answer if isinstance(m, dialect.Lap)]
        if len(laps) != 2:
            raise _Lost(f"{len(laps)} whole time stamps came for 2")
        after = self._timestamp()
        if not before <= laps[0] <= laps[1] <= after:
            raise _Lost(f"time stamps out of order: {before}, {laps[0]}, {laps[1]}, {after}")
        if self.real_time:
            _check_arrivals(laps, arrivals_ms)
        if _only(self._command("results"), dialect.Results).values != results:
            raise _Lost("it told two different results of one inference")
        self._infer_s = infer_s
        return Inference(iterations, warmups, laps[0], laps[1], results)

    def _infer_timeout_s(self, inferences: int) -> float:
        if self._infer_s is None:
            return self.limits.first_infer_s
        return self.limits.answer_s + self.limits.infer_slack * self._infer_s * inferences

    # --- talking --------------------------------------------------------------------------------------------------

    def _try(self, what: str, attempt: Callable[[], T]) -> T:
        """Run `attempt` until it succeeds; each failed one is followed by bringing both sides together again."""
        problem = ""
        for _ in range(self.limits.attempts):
            try:
                return attempt()
            except _Lost as e:
                problem = str(e)
                self._recover(what, problem)
        raise self._given_up(what, problem)

    def _recover(self, what: str, problem: str) -> None:
        self.recovered += 1
        log.info("%s: %s%s failed (%s); once more", self.label, what, dialect.TERMINATOR, problem)
        try:
            self._sync()
        except _Lost as e:
            raise DutError(
                f"the device on {self.label} fell silent at `{what}%` ({problem})", cure="reset it and check its cable"
            ) from e

    def _given_up(self, what: str, problem: str) -> DutError:
        return DutError(
            f"`{what}%` failed {self.limits.attempts} times on {self.label}: {problem}",
            cure="if the line loses bytes, check cable and baud rate or try a smaller --chunk-bytes",
        )

    def _command(self, command: str, timeout_s: float | None = None) -> list[Message]:
        """Send one command and return its answer without the closing `m-ready`."""
        self._last_timeout_s = self.limits.answer_s if timeout_s is None else timeout_s
        self._send(command)
        answer = self._answer(self._last_timeout_s)
        for message in answer:
            if isinstance(message, dialect.InitDone):
                raise _Lost("it restarted by itself")
            if isinstance(message, dialect.Refusal):
                raise _Lost(f"it says: {message.said}")
        return answer

    def _send(self, command: str) -> None:
        if len(command) > dialect.OUR_COMMAND_CHARS:
            raise DutError(
                f"a command of {len(command)} characters is too long for the dialect", cure="use fewer --chunk-bytes"
            )
        self._lap_arrivals_ms.clear()
        self._listen("host", command + dialect.TERMINATOR)
        try:
            self._port.write((command + dialect.TERMINATOR).encode("ascii"))
        except OSError as e:  # pyserial's SerialException is one
            raise self._gone(e) from e

    def _answer(self, timeout_s: float) -> list[Message]:
        """Return the messages up to `m-ready`. Raises _Lost when it doesn't come within `timeout_s` of the last
        line.
        """
        heard: list[Message] = []
        deadline_ms = self._clock.now_ms() + timeout_s * 1e3
        while self._clock.now_ms() < deadline_ms and len(heard) < _MAX_LINES:
            if not self._waiting:
                self._waiting.extend(self._reader.feed(self._read()))
                continue
            message = self._waiting.popleft()
            self._hear(message)
            if isinstance(message, dialect.Ready):
                return heard
            heard.append(message)
            deadline_ms = self._clock.now_ms() + timeout_s * 1e3
        half = f", its last line stops at {self._reader.pending!r}" if self._reader.pending else ""
        raise _Lost(f"no m-ready within {timeout_s:.3g} s{half}")

    def _read(self) -> bytes:
        """Return at least one byte within the port's time-out, and what else has come already."""
        try:
            data = self._port.read(1)
            if data and (waiting := int(getattr(self._port, "in_waiting", 0))):
                data += self._port.read(min(waiting, _READ_BYTES))
        except OSError as e:
            raise self._gone(e) from e
        return data

    def _gone(self, e: OSError) -> DutError:
        return DutError(f"{self.label} is gone ({e.strerror or e})", cure="check its cable and power, then run again")

    def _hear(self, message: Message) -> None:
        self._listen("dut", message.text)
        if isinstance(message, dialect.Lap):
            self._lap_arrivals_ms.append(self._clock.now_ms())

    def _sync(self) -> None:
        """Send numbered unknown commands until the refusal of the newest one comes, and then `m-ready`.

        A half command on the device's side swallows the first; a late answer has another number.
        """
        problem = "no answer"
        wait_s = max(self.limits.answer_s, self._last_timeout_s)  # what it may still be busy with
        for _ in range(self.limits.sync_attempts):
            self._syncs += 1
            mark = f"sync{self._syncs:04d}"
            try:
                self._drain()
                self._send(mark)
                answer = self._answer(wait_s)
                while not any(isinstance(m, dialect.Refusal) and mark in m.said for m in answer):
                    problem = "its answers are late or of another dialect"
                    answer = self._answer(4 * _QUIET_S)
                return
            except _Lost as e:
                problem = str(e)
            wait_s = self.limits.answer_s
        raise _Lost(f"{self.limits.sync_attempts} attempts; {problem}")

    def _drain(self) -> None:
        """Read away what is still under way, a bounded amount."""
        for _ in range(64):
            if not (data := self._read()):
                break
            self._waiting.extend(self._reader.feed(data))
        while self._waiting:
            self._hear(self._waiting.popleft())
        self._reader.clear()


def _only(answer: list[Message], kind: type[M]) -> M:
    """Return the one message of `kind` in `answer`; else raise _Lost, with what came instead."""
    found = [m for m in answer if isinstance(m, kind)]
    if len(found) == 1:
        return found[0]
    noise = next((m.text[:80] for m in answer if isinstance(m, dialect.Noise)), "")
    raise _Lost(f"{len(found)} whole {kind.__name__} lines came for 1" + (f"; it says: {noise}" if noise else ""))


def _check_arrivals(laps_us: list[int], arrivals_ms: list[float]) -> None:
    """Check that the two lines came about as far apart as they say: half a second or 5 % are left for buffers on the
    way.
    """
    told_ms = (laps_us[1] - laps_us[0]) / 1e3
    seen_ms = arrivals_ms[1] - arrivals_ms[0]
    if abs(told_ms - seen_ms) > max(500.0, 0.05 * told_ms):
        raise _Lost(f"it tells of {told_ms:.0f} ms between lines that came {seen_ms:.0f} ms apart")
