"""What is wrong in a configuration is told in the bench's words, with the keys that would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from baselines.recipes.loading import load_recipe, recipe_for
from baselines.recipes.recipe import AgileNNRecipe
from harness.contracts.errors import BenchError
from harness.contracts.toml import read_toml
from harness.lab.labfile import LabFile
from harness.training.options import TrainOptions


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[wifi]\nsid = 'a'", "unknown key 'wifi.sid': known are ssid, password, interface"),
        ("[wifi]\nsid = 'a'\nssdi = 'b'", "unknown key 'wifi.sid'; 1 more: known are ssid, password, interface"),
        ("[probe]\nkind = 'ina'\nprot = 'x'", "unknown key 'probe.prot': known are kind, port, path"),
        ("[testbeds.esp32.wifi]\nsid = 'a'", "unknown key 'testbeds.esp32.wifi.sid': known are ssid, password"),
        ("[broker]\nport = 'a'", "key broker.port: must be a whole number (got 'a'): mend that key"),
        ("[broker]\nport = 0", "key broker.port: must be at least 1 (got '0')"),
        ("[broker]\nport = 65536", "key broker.port: must be at most 65535 (got '65536')"),
        ("[broker]\nplain = 'perhaps'", "key broker.plain: must be true or false (got 'perhaps')"),
        ("[broker]\ncertificate = 'x'", "key broker: certificate and key belong together: mend that key"),
        ("[wifi]\nssid = 3", "key wifi.ssid: must be text in quotes (got '3')"),
        ("[wifi]\nssid = ''", "key wifi.ssid: must have at least 1 characters (got '')"),
        ("wifi = 3", "key wifi: must be a section (got '3')"),
        ("[link]\nkind = 'x'", "key link.kind: must be 'none', 'netem', 'userspace' or 'proxy' (got 'x')"),
    ],
)
def test_a_lab_file(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "lab.toml"
    path.write_text(text)
    with pytest.raises(BenchError) as e:
        read_toml(path, LabFile, context={"folder": tmp_path})
    assert str(e.value).startswith(f"{path}: {said}")
    for foreign in ("Extra inputs", "Input should", "Value error", "valid dictionary", "(top)"):
        assert foreign not in str(e.value)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"losses.rho": "7"}, "--set losses.rho=7: key losses.rho: must be below 1 (got '7'): mend that key"),
        ({"losses.roh": "0.7"}, "--set losses.roh=0.7: unknown key 'losses.roh': known are lambda, rho, "),
        ({"eopchs": "1"}, "--set eopchs=1: unknown key 'eopchs': the nearest known ones are epochs, "),
        ({"losses": "3"}, "--set losses=3: key losses: must be a section (got '3')"),
        (
            {"network.local_widths": "[0]"},
            "--set network.local_widths=[0]: key network.local_widths.0: must be at least",
        ),
    ],
)
def test_an_option_is_blamed_for_what_it_set(overrides: dict[str, str], said: str) -> None:
    with pytest.raises(BenchError) as e:
        load_recipe(AgileNNRecipe, "agilenn", "cifar10", "compact", overrides=overrides)
    assert str(e.value).startswith(said)


def test_the_file_is_blamed_for_what_stands_in_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("epochs = 1\ncolour = 'red'\n[reference]\nepochs = 1\n")
    with pytest.raises(BenchError, match=f"recipe {path}: unknown key 'colour'"):
        load_recipe(AgileNNRecipe, "agilenn", "cifar10", "compact", file=path, overrides={"losses.rho": "0.7"})


def test_epochs_are_blamed_by_their_own_option() -> None:
    with pytest.raises(BenchError, match=r"^--epochs 20000: key epochs: must be at most 10000"):
        recipe_for(AgileNNRecipe, "agilenn", TrainOptions(dataset="cifar10", epochs=20000))
