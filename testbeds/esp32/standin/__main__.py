"""Runs an ESP32 board on this machine, for the harness and for esptool (`python -m testbeds.esp32.standin`).

It takes commands on stdin, one a line (`help` lists them), and ends with stdin or on Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import logging
import signal
import sys
from typing import Any

from testbeds.esp32.standin.board import COMMANDS, StandIn


def main(argv: list[str] | None = None) -> int:
    """Serve until stdin ends, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m testbeds.esp32.standin", description=__doc__,
                                     epilog=COMMANDS, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--json", action="store_true", help="for programs: everything as JSON lines")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    board = StandIn()
    try:
        _say({"pty": str(board.pty.path), "url": board.remote.url}, options.json)
        for line in sys.stdin:
            if line.strip() == "quit":
                break
            if line.strip():
                _say(_obeyed(board, line), options.json)
    except KeyboardInterrupt:
        pass
    finally:
        board.close()
    return 0


def _obeyed(board: StandIn, line: str) -> dict[str, Any]:
    if line.strip() == "help":
        return {"help": COMMANDS}
    try:
        return {"ok": True, **board.obey(line)}
    except ValueError as e:
        return {"ok": False, "error": str(e)}


def _say(what: dict[str, Any], as_json: bool) -> None:
    if as_json:
        text = json.dumps(what)
    elif "url" in what:
        text = (
            f"An ESP32 stand-in with empty flash, at {what['url']} (control lines as on a kit) and {what['pty']}.\n"
            f"In another shell: AGILENN_ESP32_PORT=standin:{what['url']} pytest --testbed esp32 -m latency"
        )
    elif "help" in what:
        text = what["help"]
    else:
        shown = ", ".join(f"{key} {value}" for key, value in what.items() if key not in ("ok", "error"))
        text = f"error: {what['error']}; help lists the commands" if "error" in what else shown or "done"
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
