"""User-mode Linux (Debian's user-mode-linux): a kernel as an ordinary process, on the host's files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

MODULES = ("drivers/net/veth", "drivers/net/ifb", "net/sched/sch_netem", "net/sched/sch_ingress",
           "net/sched/cls_u32", "net/sched/act_mirred")  # fmt: skip


def missing() -> str:
    """Why it can't be used here; empty when it can."""
    if not shutil.which("linux.uml"):
        return "user-mode-linux is not installed (Debian: apt-get install user-mode-linux)"
    return "" if _modules() else "no kernel modules beside linux.uml"


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
    done = subprocess.run(
        ["linux.uml", "mem=512M", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "rw", f"init={start}",
         "con=null", "con0=null,fd:1", "ssl=null", "quiet"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout_s, check=False,
        env={**os.environ, "TMPDIR": str(folder)},
    )  # fmt: skip
    return done.stdout.decode(errors="replace")
