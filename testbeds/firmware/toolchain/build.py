"""Builds the firmware of a scheme for a target, once for each content of sources, artefact and compiler."""

from __future__ import annotations

import hashlib
import json
import logging
import platform
import re
import tempfile
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock

from harness.contracts.description import GRAPH, load_description, weights_hash
from harness.contracts.errors import BenchError
from harness.contracts.paths import cache_dir
from testbeds.firmware.toolchain import esp32_container as container
from testbeds.firmware.toolchain.compiler import CompileError, Compiler, compile_all, find_compiler, run_compiler
from testbeds.firmware.toolchain.describe import encoder_bytes, write_description
from testbeds.firmware.toolchain.fits import check_graph
from testbeds.firmware.toolchain.idf import build_project, find_idf
from testbeds.firmware.toolchain.image import image_sizes

log = logging.getLogger(__name__)

HERE = Path(__file__).resolve().parents[1]  # testbeds/firmware
CORE = HERE / "core"
PORTS = HERE / "ports"
KERNELS = HERE / "kernels"
EEMBC = HERE / "eembc"  # the second console protocol
_DIALECT = ("console.c", "eembc.c")
STACK_BYTES = 8 * 1024
DTCM_BYTES = 64 * 1024
# Stack and tables take this. In what they and the encoder leave, scratch comes first, then the arena if it fits.
DTCM_OTHERS = STACK_BYTES + 4 * 1024
SUFFIX = {"stm32f746": ".elf", "native": "", "host": ".so", "esp32": ".bin", "esp32-standin": ".bin"}
_HOST_PORT = "host"
_ESP32 = ("esp32", "esp32-standin")  # one port, built for the chip and as a program of this machine
ESP32 = HERE.parent / "esp32"
_STANDIN = ESP32 / "standin" / "idf"
CORE_CODECS = (
    "crc32.c", "cobs.c", "frame.c", "payload.c", "codec.c", "codec_decoders.c", "codec_stored.c", "codec_lzw.c",
    "codec_shuffle.c", "codec_context.c", "codec_png.c", "codec_rice.c", "codec_jpeg.c", "codec_jpeg_tables.c",
    "codec_jpeg_file.c", "at.c", "combine.c",
)  # fmt: skip


@dataclass(frozen=True)
class BuildOptions:
    """Holds what changes the bytes of an image beyond its artefact."""

    target: str
    cc: str = "zig"
    variant: str = "fast"
    flags: tuple[str, ...] = ()
    link_flags: tuple[str, ...] = ()


def build(
    artefact_dir: Path,
    target: str,
    *,
    cc: str = "zig",
    variant: str = "fast",
    flags: tuple[str, ...] = (),
    link_flags: tuple[str, ...] = (),
) -> Path:
    """Build the scheme in `artefact_dir` for `target`: "stm32f746" (ELF), "native" (executable) or "host" (library).

    Args:
        artefact_dir: a trained scheme's folder (description.toml, device.tflite).
        target: see above; also "esp32" (flash image, by the user's ESP-IDF) and "esp32-standin" (the same for the
            stand-in board of testbeds/esp32/standin).
        cc: "zig" (the pinned wheel) or another compiler's command.
        variant: the generated kernels' variant, "fast" or "lean".
        flags: extra compiler flags, such as sanitizers.
        link_flags: extra flags for the linker.

    Returns:
        The built file; `<file>.json` beside it records compiler, sources, sizes and the generator's report.

    Raises:
        BenchError: an input can't be read, description and graph disagree, an operator is not supported, the compiler
            is missing or fails, or the image does not fit the board (by how much).
    """
    if target not in SUFFIX:
        raise BenchError(f"unknown firmware target {target!r}", cure=f"one of {', '.join(SUFFIX)}")
    description = load_description(artefact_dir)
    check_graph(artefact_dir, description)  # comes before the cache, which may hold what is older than this check
    options = BuildOptions(target, cc, variant, flags, link_flags)
    compiler = find_idf() if target == "esp32" else find_compiler(cc)
    key = _key(options, compiler, weights_hash(artefact_dir))
    out = cache_dir() / "firmware" / f"{description.label}-{target}-{key}{SUFFIX[target]}"
    return _once(out, lambda work: _build_scheme(artefact_dir, options, compiler, work, out.name))


def build_codec_library(*, cc: str = "zig", flags: tuple[str, ...] = (), link_flags: tuple[str, ...] = ()) -> Path:
    """Build the host library of codecs, payload, frames and AT parser alone, with which the edge server decodes."""
    options = BuildOptions("host", cc, "", flags, link_flags)
    compiler = find_compiler(cc)
    out = cache_dir() / "firmware" / f"codecs-host-{_key(options, compiler, 'codecs', (CORE, PORTS / _HOST_PORT))}.so"
    sources: list[tuple[Path, tuple[str, ...]]] = [(CORE / name, flags) for name in CORE_CODECS]
    sources.append((PORTS / _HOST_PORT / "codec_api.c", flags))

    def make(work: Path) -> dict[str, Any]:
        _link(options, compiler, compile_all(compiler, "host", sources, [CORE], work), work, out.name)
        return _record(options, compiler)

    return _once(out, make)


def _once(out: Path, make: Any) -> Path:
    """Call `make(work)`, which writes work/out.name, unless `out` is there already; other processes may do the same."""
    record = out.with_name(out.name + ".json")
    if out.exists() and record.exists():
        return out
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with (
            FileLock(out.with_name(out.name + ".lock")),
            tempfile.TemporaryDirectory(prefix="build-", dir=out.parent) as folder,
        ):
            if not (out.exists() and record.exists()):
                log.info("building %s", out.name)
                work = Path(folder)
                details = make(work)
                (work / record.name).write_text(json.dumps(details, indent=1, sort_keys=True) + "\n", encoding="utf-8")
                (work / record.name).replace(record)
                (work / out.name).replace(out)
    except OSError as e:
        raise BenchError(
            f"firmware can't be built in {out.parent} ({e.strerror or e})",
            cure="set AGILENN_CACHE_DIR to a folder you own",
        ) from e
    return out


def _build_scheme(
    artefact_dir: Path, options: BuildOptions, compiler: Compiler, work: Path, name: str
) -> dict[str, Any]:
    target = options.target
    description = write_description(artefact_dir, work)
    details = _record(options, compiler)
    extra: tuple[str, ...] = options.flags
    sources: list[tuple[Path, tuple[str, ...]]] = []
    if description.graph:
        report = _generate(artefact_dir / GRAPH, work, options.variant)
        details["graph"] = report
        room = DTCM_BYTES - DTCM_OTHERS - encoder_bytes(artefact_dir)
        if target == "stm32f746" and report["arena_bytes"] + report["scratch_bytes"] <= room:
            extra = (*extra, "-DFW_ARENA_IN_DTCM")
        sources += [(path, extra) for path in sorted(work.glob("*.c")) if path.name != "scheme_desc.c"]
    sources.append((work / "scheme_desc.c", extra))
    if target == "stm32f746" or target in _ESP32:
        baud = console_baud("esp32" if target in _ESP32 else target)
        (work / "bench_config.h").write_text(f"#define CONSOLE_BAUD {baud}u\n", encoding="ascii")
        details["console_baud"] = baud
    sources += [(path, extra) for path in _scheme_sources(target)]
    no_calls = ("-fno-builtin",) if compiler.is_zig else ("-fno-builtin", "-fno-tree-loop-distribute-patterns")
    own_flags = {"memory.c": no_calls, "eembc.c": ("-Os",), "console.c": ("-Os",), "settings.c": ("-Os",)}
    sources = [(path, (*flags, *own_flags.get(path.name, ()))) for path, flags in sources]
    port = [PORTS / "esp32", _STANDIN, _STANDIN / "include"] if target == "esp32-standin" else [PORTS / _port(target)]
    includes = [work, CORE, KERNELS, EEMBC, *port]
    details |= {"scheme": description.label, "weights_sha256": weights_hash(artefact_dir)}
    if target == "esp32":
        details["sizes"] = build_project(compiler, [path for path, _ in sources], includes, work / name)
        return details
    objects = compile_all(compiler, target, sources, includes, work)
    _link(options, compiler, objects, work, name)
    if target == "esp32-standin":
        (work / name).write_bytes(container.pack((work / name).read_bytes()))
    if target == "stm32f746":
        sizes = image_sizes(work / name)
        details["sizes"] = {"flash_bytes": sizes.flash_bytes, "ram_static_bytes": sizes.ram_static_bytes}
    return details


def _scheme_sources(target: str) -> list[Path]:
    """Return the sources of core and port: the board needs no decoders, the host library needs all of it."""
    leave_out = {"codec_decoders.c"} if target != "host" else set()
    if target in _ESP32:
        leave_out |= {path.name for path in CORE.glob("at*.c")} | {"net_at.c"}  # it has a radio of its own
    core = [path for path in sorted(CORE.glob("*.c")) if path.name not in leave_out]
    stand_in = sorted(_STANDIN.glob("*.c")) if target == "esp32-standin" else []
    return core + [EEMBC / name for name in _DIALECT] + sorted((PORTS / _port(target)).glob("*.c")) + stand_in


def _port(target: str) -> str:
    """Return the folder of a target's port."""
    return "esp32" if target in _ESP32 else target


def _generate(graph: Path, work: Path, variant: str) -> dict[str, Any]:
    from testbeds.firmware.generator import generate  # noqa: PLC0415 - only schemes with a graph need it

    report = generate(graph, work, variant=variant)
    as_json: dict[str, Any] = json.loads(json.dumps(report, default=_plain))
    return as_json


def _plain(value: Any) -> Any:
    """Return a dataclass, path or number of the generator's report as a JSON value."""
    if hasattr(value, "__dataclass_fields__"):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    return str(value) if isinstance(value, Path) else int(value)


def _link(options: BuildOptions, compiler: Compiler, objects: list[Path], work: Path, name: str) -> None:
    argv = [*compiler.argv, *compiler.target_flags(options.target), *options.link_flags]
    if options.target == "stm32f746":
        script = (PORTS / "stm32f746" / "link.ld").read_text(encoding="ascii")
        (work / "link.ld").write_text(script.replace("STACK_BYTES", str(STACK_BYTES)), encoding="ascii")
        # zig's linker leaves the script's ENTRY out: a debugger that starts at the entry point would start at 0.
        argv += [
            "-Wl,--entry=Reset_Handler",
            "-nostdlib",
            "-static",
            "-Wl,--gc-sections",
            "-T",
            "link.ld",
            "-Wl,--build-id=none",
        ]
    elif options.target == "host":
        argv += ["-shared", "-Wl,--build-id=none"]
    else:
        argv += ["-Wl,--gc-sections", "-Wl,--build-id=none"]
        argv += ["-s"] if options.target == "esp32-standin" else []  # it has to fit into the stand-in's flash
    try:
        run_compiler([*argv, *(path.name for path in objects), "-o", name], work)
    except CompileError as e:
        if over := re.search(r"'?(\.?\w+)'? will not fit in region '(\w+)': overflowed by (\d+) bytes", e.stderr):
            memory = {"FLASH": "1 MB of flash", "SRAM": "256 KB of SRAM", "DTCM": "64 KB of DTCM"}[over[2]]
            raise BenchError(
                f"the image does not fit the STM32F746's {memory}: {int(over[3])} bytes too many (section {over[1]})",
                cure="a smaller network, or the lean kernel variant",
            ) from e
        raise


def _record(options: BuildOptions, compiler: Compiler) -> dict[str, Any]:
    return {"target": options.target, "compiler": compiler.label, "variant": options.variant, "flags": options.flags}


def console_baud(board: str = "stm32f746") -> int:
    """Return the console's rate, compiled into a board's image: `console_baud` of testbeds/<board>/bench.toml."""
    bench = tomllib.loads((HERE.parent / board / "bench.toml").read_text(encoding="utf-8"))
    return int(bench["console_baud"])


@cache
def _sources_hash(folders: tuple[Path, ...]) -> str:
    """Return the SHA-256 over everything of ours that an image is made from."""
    digest = hashlib.sha256(str(console_baud()).encode())
    paths = [path for folder in folders for path in folder.rglob("*")]
    for path in sorted([*paths, *(HERE / "toolchain" / name for name in ("build.py", "describe.py", "compiler.py"))]):
        if path.suffix in {".c", ".h", ".ld", ".py"} and path.is_file():
            digest.update(f"{path.relative_to(HERE).as_posix()}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _key(
    options: BuildOptions,
    compiler: Compiler,
    weights: str,
    folders: tuple[Path, ...] = (CORE, PORTS, KERNELS, EEMBC, HERE / "generator"),
) -> str:
    machine = "" if options.target == "stm32f746" else f"{platform.machine()} {_processor_flags()}"
    text = f"{options} {compiler.version} {weights} {machine} {_sources_hash(folders)}"
    if options.target in _ESP32:
        text += f" {console_baud('esp32')} {_esp32_hash()}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def _esp32_hash() -> str:
    """Return the SHA-256 over the ESP-IDF project and the stand-in's C code."""
    digest = hashlib.sha256()
    for path in sorted(path for folder in (ESP32 / "firmware", _STANDIN) for path in folder.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(ESP32).as_posix()}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


@cache
def _processor_flags() -> str:
    """Return this processor's flags. Host builds use its own instructions: another processor is another build."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return next((line for line in text.splitlines() if line.startswith(("flags", "Features"))), "")


def read_record(built: Path) -> dict[str, Any]:
    """Return the build record of a built file."""
    try:
        record: dict[str, Any] = json.loads(built.with_name(built.name + ".json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as e:
        raise BenchError(f"{built} has no readable build record ({e})", cure=f"remove {built} and build again") from e
    return record
