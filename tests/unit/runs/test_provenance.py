"""What a manifest says of program and image."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.contracts.errors import BenchError
from harness.runs import provenance
from testbeds.firmware.toolchain.footprint import footprint


def test_the_command_can_be_typed_again_and_no_environment_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGILENN_MQTT_PASSWORD", "hush-hush")
    facts = provenance.provenance(["bandwidth", "--out", "a b"], "harness.sweep")
    assert facts["command"] == "python -m harness.sweep bandwidth --out 'a b'"
    assert facts["packages"]["numpy"]
    assert "hush-hush" not in json.dumps(facts)


def test_outside_of_a_checkout_there_is_no_commit(tmp_path: Path) -> None:
    assert provenance._git(tmp_path, "rev-parse", "HEAD") is None


def test_a_file_that_is_no_image_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "a.elf").write_bytes(b"nonsense")
    with pytest.raises(BenchError, match="is no firmware image"):
        footprint(tmp_path / "a.elf", flash=(0x0800_0000, 1 << 20), ram=(0x2000_0000, 320 << 10))


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        (["--password", "hush", "--seed", "1"], ["--password", "***", "--seed", "1"]),
        (["--mqtt-password=hush"], ["--mqtt-password=***"]),
        (["--broker", "mqtt://me:hush@host:1883/x"], ["--broker", "mqtt://***@host:1883/x"]),
        (["--api-key", "hush", "--wifi-psk=hush"], ["--api-key", "***", "--wifi-psk=***"]),
        (["--password", "--seed", "1"], ["--password", "--seed", "1"]),
        (["bandwidth", "--out", "tokens/a b"], ["bandwidth", "--out", "tokens/a b"]),
    ],
)
def test_secrets_are_scrubbed_from_the_command_line(argv: list[str], shown: list[str]) -> None:
    assert provenance.scrubbed(argv) == shown
    facts = provenance.provenance(argv, "harness.sweep")
    assert "hush" not in json.dumps([facts["argv"], facts["command"]])


def test_the_hash_of_a_dirty_checkout_covers_new_files(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        own = ["-c", "user.name=n", "-c", "user.email=e@x", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", "-C", str(tmp_path), *own, *words], check=True, capture_output=True)

    git("init", "-q")
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-qm", "first")
    hashes = [provenance._diff_hash(tmp_path)]
    for name, text in (("a", "2"), ("new", "1"), ("new", "2")):
        (tmp_path / name).write_text(text)
        hashes.append(provenance._diff_hash(tmp_path))
    assert len(set(hashes)) == 4
    assert provenance._diff_hash(tmp_path) == hashes[-1]


def test_tools_say_their_versions() -> None:
    found = provenance.tools()
    assert all(text and "\n" not in text for text in found.values())
    if shutil.which("git"):
        assert found["git"].startswith("git version")
