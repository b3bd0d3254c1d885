"""User-mode Linux (Debian's user-mode-linux): a kernel as an ordinary process, on the host's files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

MODULES = ("drivers/net/veth", "drivers/net/ifb", "net/sched/sch_netem", "net/sched/sch_ingress",
           "net/sched/cls_u32", "net/sched/act_mirred")  # fmt: skip


def missing() -> str:
    """Why it can't be used here; empty when it can."""
    if not shutil.which("linux.uml"):
        return "user-mode-linux is not installed (Debian: apt-get install user-mode-linux)"
    if not _modules():
        return "no kernel modules beside linux.uml"
    return _refusal()


@cache
def _refusal() -> str:
    """Why a kernel that is installed does not come up here (no ptrace, a locked-down container); empty when it does."""
    with tempfile.TemporaryDirectory(prefix="agilenn-uml-") as folder:
        init = Path(folder) / "init.sh"
        init.write_text("#!/bin/sh\necho it-runs\nmount -t proc proc /proc\necho o > /proc/sysrq-trigger\nsleep 30\n")
        init.chmod(0o755)
        try:
            said = _boot(init, Path(folder), 60.0)
        except (OSError, subprocess.TimeoutExpired) as e:
            return f"user-mode Linux does not run here ({e})"[:200]
    last = said.strip().splitlines()[-1][:120] if said.strip() else "it said nothing"
    return "" if "it-runs" in said else f"user-mode Linux does not run here: {last}"


def _modules() -> Path | None:
    return next((p / "kernel" for p in sorted(Path("/usr/lib/uml/modules").glob("*")) if (p / "kernel").is_dir()), None)


def run(script: Path, folder: Path, timeout_s: float, *words: str) -> str:
    """Run a Python script as root inside; what its console said. The script gets a file in `folder` to write to."""
    kernel = _modules()
    wanted = [f"{kernel}/{name}.ko" for name in MODULES]
    lines = [
        "#!/bin/sh",
        "mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t tmpfs tmpfs /run",
        f"export PATH=/usr/sbin:/sbin:/usr/bin:/bin AGILENN_LOCK_DIR={folder}/locks PYTHONDONTWRITEBYTECODE=1",
        f"export UML_MODULES={os.pathsep.join(wanted)}",
        f"export PYTHONPATH={os.pathsep.join(p for p in sys.path if p)}",
        f"{sys.executable} {script} {folder}/seen.json {' '.join(words)}",
        "echo o > /proc/sysrq-trigger",
        "sleep 30",
    ]
    start = folder / "init.sh"
    start.write_text("\n".join(lines) + "\n")
    start.chmod(0o755)
    return _boot(start, folder, timeout_s)


def _boot(init: Path, folder: Path, timeout_s: float) -> str:
    done = subprocess.run(
        ["linux.uml", "mem=512M", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "rw", f"init={init}",
         "con=null", "con0=null,fd:1", "ssl=null", "quiet"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout_s, check=False,
        env={**os.environ, "TMPDIR": str(folder)},
    )  # fmt: skip
    return done.stdout.decode(errors="replace")
