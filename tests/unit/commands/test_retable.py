"""Another codec for weights that are there: tables, description and recipe change together, nothing else does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.commands import retable
from harness.contracts.context import CONTEXT
from harness.contracts.description import DESCRIPTION, load_context, load_description, weights_hash
from harness.contracts.errors import BenchError

FEATURES: dict[str, Any] = {
    "scheme": "toy", "dataset": "cifar10", "profile": "tiny", "classes": 3, "input_shape": [4, 4, 3], "graph": True,
    "offload": "features", "features_output": 0, "local_logits_output": 1, "first_channel": 1, "channels": 3,
    "n_symbols": 4, "symbol_table": [v // 64 for v in range(256)], "centroids": [0.0, 1.0, 2.0, 3.0], "codec": "lzw",
    "alpha": 0.25,
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    rng = np.random.default_rng(0)

    def pictures(_folder: Path, _d: Any, learn: int, look: int) -> tuple[np.ndarray, np.ndarray]:
        return rng.integers(0, 4, (min(learn, 50), 48)).astype(np.uint8), rng.integers(0, 2, (20, 48)).astype(np.uint8)

    monkeypatch.setattr(retable, "training_pictures", pictures)
    monkeypatch.setattr(retable, "device_symbols", lambda _folder, _d, x: (x, (4, 4, 3)))
    write(tmp_path)
    return tmp_path


def write(folder: Path, **changes: Any) -> None:
    lines = [f"{key} = {json.dumps(value)}" for key, value in (FEATURES | changes).items()]
    (folder / DESCRIPTION).write_text("\n".join(lines) + "\n")
    (folder / "recipe.toml").write_text('codec = "lzw"\nvalidation = 7\n\n[network]\nchannels = 4\n')
    for name in ("device.tflite", "server.npz"):
        (folder / name).write_bytes(b"weights")


def test_there_and_back(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert retable.main([str(folder)]) == 0
    before, said = weights_hash(folder), capsys.readouterr().out
    assert "codec lzw -> context" in said
    assert before[:8] in said
    description = load_description(folder)
    tables = load_context(folder, description)
    assert description.codec == "context"
    assert tables is not None
    assert (tables.n_symbols, tables.width, tables.channels) == (4, 4, 3)
    recipe = (folder / "recipe.toml").read_text()
    assert 'codec = "context"' in recipe
    assert "channels = 4" in recipe
    assert retable.main([str(folder), "--codec", "lzw"]) == 0
    assert weights_hash(folder) != before
    assert load_description(folder).codec == "lzw"
    assert not (folder / CONTEXT).exists()


def test_tables_that_are_lost_or_damaged_are_one_line_that_names_the_cure(folder: Path) -> None:
    retable.main([str(folder)])
    good = (folder / CONTEXT).read_text()
    (folder / CONTEXT).write_text(good.replace("width = 4", "width = 0"))
    with pytest.raises(BenchError, match="key width"):
        load_context(folder, load_description(folder))
    (folder / CONTEXT).unlink()
    with pytest.raises(BenchError, match=r"context\.toml can't be read"):
        load_description(folder)
    assert retable.main([str(folder)]) == 0, "it mends what it finds"
    (folder / CONTEXT).write_text(
        good.replace("channels = 3", "channels = 3").replace("n_symbols = 4", "n_symbols = 5")
    )
    with pytest.raises(BenchError):
        load_context(folder, load_description(folder))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"offload": "image", "channels": 3, "symbol_table": [], "graph": False, "features_output": -1,
          "local_logits_output": -1, "alpha": 0.0}, "sends no features"),
        ({"n_symbols": 256, "symbol_table": list(range(256))}, "2 to 16 symbols"),
    ],
)  # fmt: skip
def test_what_the_codec_does_not_take_is_refused_and_left_alone(
    folder: Path, change: dict[str, Any], match: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, **change)
    before = weights_hash(folder)
    assert retable.main([str(folder)]) == 2
    assert match in capsys.readouterr().err
    assert weights_hash(folder) == before


def test_a_description_never_has_the_codec_for_features_that_it_does_not_take(folder: Path) -> None:
    write(folder, codec="context", n_symbols=256, symbol_table=list(range(256)))
    with pytest.raises(BenchError, match="at most 16 symbols: choose lzw or shuffle"):
        load_description(folder)
