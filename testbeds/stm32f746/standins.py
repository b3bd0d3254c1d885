"""Stands in for absent flashers: programs that take OpenOCD's and pyOCD's arguments, and print and exit as they do.

`install(folder)` writes `openocd` and `pyocd` there; the folder goes first in PATH. Flash and faults are in
`state.json` beside them: "serial", "flash" (SHA-256 of what is on the board), "fault" (null, "hang", "no_probe" or
"verify"), "memory" (words of RAM by address, which the firmware clears when it starts) and "log".
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_STATE = "state.json"
_HANG_S = 600.0


def install(folder: Path, serial: str = "0670FF") -> Path:
    """Write both programs and return the path of their state."""
    folder.mkdir(parents=True, exist_ok=True)
    state = folder / _STATE
    state.write_text(json.dumps({"serial": serial, "flash": "", "fault": None, "memory": {}, "log": []}))
    for name in ("openocd", "pyocd"):
        program = folder / name
        start = f"import sys\nsys.path[:0] = {sys.path!r}\nfrom {__name__} import main\n"
        program.write_text(f"#!{sys.executable}\n{start}sys.exit(main({str(folder)!r}, {name!r}))\n")
        program.chmod(0o755)
    return state


def set_fault(state: Path, fault: str | None) -> None:
    """Set what goes wrong from now on."""
    state.write_text(json.dumps(json.loads(state.read_text()) | {"fault": fault}))


def set_memory(state: Path, address: int, words: Sequence[int]) -> None:
    """Set what the firmware has left in RAM from `address` on."""
    left = {str(address + 4 * k): word for k, word in enumerate(words)}
    state.write_text(json.dumps(json.loads(state.read_text()) | {"memory": left}))


def main(folder: str, name: str) -> int:
    """Do as the program called `name` would with the arguments of this process."""
    path = Path(folder) / _STATE
    state: dict[str, Any] = json.loads(path.read_text())
    state["log"].append([name, *sys.argv[1:]])
    path.write_text(json.dumps(state))
    if state["fault"] == "hang":
        time.sleep(_HANG_S)
    code = _openocd(state, sys.argv[1:]) if name == "openocd" else _pyocd(state, sys.argv[1:])
    path.write_text(json.dumps(state))
    return code


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def _openocd(state: dict[str, Any], argv: list[str]) -> int:
    _say("Open On-Chip Debugger 0.12.0")
    commands = [argv[i + 1] for i, word in enumerate(argv) if word == "-c"]
    if argv[:2] != ["-f", "board/stm32f7discovery.cfg"]:
        _say(f"Error: Can't find {argv[1]}")
        return 1
    serial = next((c.split()[-1] for c in commands if c.startswith("adapter serial ")), state["serial"])
    program = next((c for c in commands if c.startswith("program ")), None)
    if state["fault"] == "no_probe" or serial != state["serial"]:
        _say("Info : clock speed 2000 kHz\nError: open failed")
        if program:
            _say("in procedure 'program'\n** OpenOCD init failed **\nshutdown command invoked")
        return 1
    if program is None:
        return _openocd_commands(state, commands)
    found = re.fullmatch(r"program \{(.+)\} preverify verify reset exit", program)
    if found is None or not Path(found[1]).is_file():
        _say(f"Error: couldn't open {found[1] if found else program}\n** Programming Failed **")
        return 1
    digest = hashlib.sha256(Path(found[1]).read_bytes()).hexdigest()
    _say("**pre-verifying**")
    if digest == state["flash"]:
        _say("**Verified OK - No flashing**\n** Resetting Target **")
        return 0
    _say("** Programming Started **\n** Programming Finished **\n** Verify Started **")
    if state["fault"] == "verify":
        _say("Error: checksum mismatch - attempting binary compare\n** Verify Failed **\nshutdown command invoked")
        return 1
    state["flash"], state["memory"] = digest, {}
    _say("** Verified OK **\n** Resetting Target **\nshutdown command invoked")
    return 0


def _openocd_commands(state: dict[str, Any], commands: list[str]) -> int:
    """Carry out commands on a board that runs, as OpenOCD 0.12.0 does: `mdw` prints eight words a line."""
    halted = False
    for command in commands:
        words = command.split()
        if command in ("reset halt", "halt"):
            halted = True
        elif command in ("reset run", "reset") or (command == "resume" and halted):
            halted = False
            state["memory"] = {}
        elif words[0] == "mdw":
            _say_words(state, int(words[1], 16), int(words[2]), 8, "0x{:08x}: {}", halted=halted)
        elif command not in ("init", "shutdown") and words[0] != "adapter":
            _say(f'invalid command name "{words[0]}"')
            return 1
    return 0


def _say_words(state: dict[str, Any], address: int, count: int, a_line: int, line: str, *, halted: bool) -> None:
    """Print RAM as it is; in a core that was not halted the firmware has cleared it by now."""
    left = state["memory"] if halted else {}
    values = [int(left.get(str(address + 4 * k), 0)) for k in range(count)]
    for k in range(0, count, a_line):
        _say(line.format(address + 4 * k, "".join(f"{value:08x} " for value in values[k : k + a_line])))


def _pyocd_commands(state: dict[str, Any], commands: list[str]) -> None:
    """Carry out commands of `pyocd commander` 0.46.0: `read32 ADDRESS BYTES` prints four words a line, then ASCII."""
    halted = False
    for command in commands:
        words = command.split()
        if words[:2] == ["reset", "halt"]:
            halted = True
            _say("Resetting target with halt\nSuccessfully halted device on reset")
        elif words[0] in ("reset", "go"):
            halted = False
            state["memory"] = {}
        elif words[0] == "read32":
            _say_words(
                state, int(words[1], 16), int(words[2]) // 4, 4, "{:08x}:  {}   |................|", halted=halted
            )


def _pyocd(state: dict[str, Any], argv: list[str]) -> int:
    serial = argv[argv.index("--uid") + 1] if "--uid" in argv else state["serial"]
    if "--no-wait" not in argv and serial != state["serial"]:
        time.sleep(_HANG_S)  # hangs as the real one does
    if state["fault"] == "no_probe" or serial != state["serial"]:
        _say(f"No connected debug probe matches unique ID '{serial}'\n0001778 E No target device available [load_cmd]")
        return 1
    if argv[argv.index("--target") + 1] != "stm32f746nghx":
        _say("0000712 C Target type not recognized. [__main__]")
        return 1
    if argv[0] == "load":
        from testbeds.stm32f746.flasher import flash_bytes  # noqa: PLC0415

        state["flash"] = hashlib.sha256(flash_bytes(Path(argv[-1]))).hexdigest()
        _say("0002100 I Erased 32768 bytes (1 sector), programmed 20480 bytes (20 pages) at 40.00 kB/s [loader]")
    elif argv[0] == "commander" and not any(word.startswith("compare ") for word in argv):
        _pyocd_commands(state, [argv[i + 1] for i, word in enumerate(argv) if word == "-c"])
    elif argv[0] == "reset":
        state["memory"] = {}
    elif argv[0] == "commander":
        compare = next(word for word in argv if word.startswith("compare "))
        digest = hashlib.sha256(Path(compare.split(maxsplit=2)[2]).read_bytes()).hexdigest()
        _say("Comparing 20480 bytes @ 0x08000000")
        if state["fault"] == "verify" or digest != state["flash"]:
            _say("Mismatched byte at 0x08000010 (offset 0x10): 0xff (memory) != 0x00 (file)")
            return 0  # the real one tells, but does not fail
    return 0
