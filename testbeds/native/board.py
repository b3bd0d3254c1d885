"""Provides `--testbed native`: the same firmware sources run as a process, in host time, against the real broker."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tty
from collections.abc import Sequence
from pathlib import Path

from harness.contracts import exits
from harness.contracts.clock import HostClock
from harness.contracts.errors import BenchError, BenchFailed
from harness.contracts.testbed import Crash, SampleLog, SerialPort, Testbed
from testbeds.benchfile import describe, read_bench_file
from testbeds.native.module import HostTimeModule
from testbeds.unshaped import WITHOUT, UnshapedLink
from testbeds.watched import WatchedPort

_STOP_S = 5.0


class NativeTestbed(Testbed):
    """Runs a process on a pty. `reset` starts it anew; the Wi-Fi module beside it stays on, with a supply of its own.

    Args:
        module: a module that other boards were wired to before, and that its owner closes; None makes a new one.
    """

    name = "native"

    def __init__(self, module: HostTimeModule | None = None) -> None:
        self.description = describe(self.name, read_bench_file(Path(__file__).with_name("bench.toml")))
        self.clock = HostClock()
        self.link = UnshapedLink(
            self.name,
            'give it one (kind = "userspace" or "proxy" in [link] of lab.toml), use --testbed virtual, or ' + WITHOUT,
        )
        self._image: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._owns_module = module is None
        self._module = module
        self._pty: tuple[int, int] | None = None  # master, slave
        self._port: WatchedPort | None = None

    @property
    def wifi_module(self) -> HostTimeModule:
        """Return the module beside the board, for whoever puts faults into it.

        Raises:
            BenchError: the board has not been started.
        """
        if self._module is None:
            raise BenchError("the native board is not running", cure="reset it first")
        return self._module

    def check(self) -> None:
        if not hasattr(os, "openpty"):
            raise BenchError("testbed native needs pseudo terminals", cure="run it on Linux")

    def flash(self, image: Path) -> None:
        if not os.access(image, os.X_OK):
            raise BenchError(f"{image} is no executable", cure="build it for target native")
        self._image = image

    def reset(self) -> None:
        if self._image is None:
            raise BenchError("testbed native has no firmware", cure="flash an image first")
        self._close_port()
        self._stop()
        self._close_pty()
        master, slave = os.openpty()
        self._pty = (master, slave)
        tty.setraw(slave)
        self._start(master)

    def press_reset(self) -> None:
        """Restart the firmware under an open console port, as the button of a board does."""
        if self._pty is None:
            raise BenchError("the native board is not running", cure="reset it first")
        self._stop()
        self._start(self._pty[0])

    def kill(self) -> None:
        """Kill the process (SIGKILL) and leave it at that, as a host without memory does."""
        if self._process is not None:
            self._process.kill()

    def unplug(self) -> None:
        """Pull the cable: whoever has the console port open sees it fail; `reset` plugs it in again."""
        self._stop()
        self._close_pty()

    def _start(self, master: int) -> None:
        ours, theirs = socket.socketpair()
        if self._owns_module and self._module is not None and not self._module.alive:
            self._module.close()
            self._module = None
        if self._module is None:
            self._module = HostTimeModule()
        self._module.attach(ours)
        try:
            self._process = subprocess.Popen(
                [str(self._image), str(master), str(theirs.fileno())],
                pass_fds=(master, theirs.fileno()),
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # a signal of the terminal is for the bench, which then ends it
            )
        except OSError as e:
            self.close()
            raise BenchError(f"{self._image} does not start ({e.strerror})", cure="remove it: it is built again") from e
        finally:
            theirs.close()

    def open(self) -> SerialPort:
        if self._pty is None or self._process is None or self._process.poll() is not None:
            raise BenchError("the native board is not running", cure="reset it first")
        self._close_port()
        self._port = WatchedPort(os.ttyname(self._pty[1]), self.description.console_baud, self._check_alive)
        return self._port

    def _check_alive(self) -> None:
        process = self._process
        if process is not None and (code := process.poll()) is not None:
            raise BenchFailed(f"the native board's process {exits.how(code)}")

    def before_sample(self, seed: int, remote_ms: float | None) -> None:
        if self._module is not None:
            self._module.reset_traffic()

    def crash(self) -> Crash | None:
        code = None if self._process is None else self._process.poll()
        if code is None:
            return None
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return Crash(f"its process ended by itself: {how}")

    def module_lines(self) -> Sequence[str]:
        return [] if self._module is None else self._module.module.dialogue.take()

    def sample_log(self) -> SampleLog:
        if self._module is None:
            return SampleLog()
        traffic = self._module.traffic
        return SampleLog(
            mqtt_up_bytes=traffic.mqtt_up,
            mqtt_down_bytes=traffic.mqtt_down,
            serial_up_bytes=traffic.serial_up,
            serial_down_bytes=traffic.serial_down,
        )

    def close(self) -> None:
        self._close_port()
        self._stop()
        self._close_pty()
        if self._module is not None and self._owns_module:
            self._module.close()
            self._module = None

    def _stop(self) -> None:
        process, self._process = self._process, None  # comes first: an open port must not take the end for a loss
        if process is not None:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _close_pty(self) -> None:
        if self._pty is not None:
            for number in self._pty:
                with contextlib.suppress(OSError):
                    os.close(number)
            self._pty = None

    def _close_port(self) -> None:
        if self._port is not None:
            self._port.close()
            self._port = None
