"""`python constraints/write.py`: write the versions that are installed here into core.txt and train.txt.

`pip install -c constraints/core.txt .` installs what the bench was tested with.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from tests.support.core_packages import closure, project  # noqa: E402

HEAD = "# Written by constraints/write.py with Python {}.{}: what the tests passed with.\n"
TRAIN = ["tensorflow", *project()["tables"], *project()["svhn"]]


def main() -> None:
    """Write both files."""
    core = closure(project()["core"])
    train = closure(TRAIN)
    for name, found in (("core", core), ("train", core | train)):
        lines = {f"{one}=={found[one].version}" for one in found}
        if name == "train":
            lines.add(f"tensorflow-cpu=={found['tensorflow'].version}")  # the same release, built for processors
        text = HEAD.format(*sys.version_info[:2]) + "".join(f"{line}\n" for line in sorted(lines))
        (HERE / f"{name}.txt").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
