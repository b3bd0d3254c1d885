"""Pictures of both kinds, by the decision that the device takes; left to the seed where nothing weighs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.artefacts import artefacts
from harness.artefacts.artefacts import Artefact
from harness.artefacts.images import Images
from harness.contracts.paths import weights_dir
from harness.runs.store import Store
from harness.sweep import pictures, prepare
from harness.sweep.plan import choose_images
from testbeds.firmware.host.schemelib import HostLibrary

from ...support import runs

pytestmark = pytest.mark.slow

_SHIPPED = weights_dir() / "cifar10-compact"


@pytest.fixture(scope="module")
def scheme() -> Artefact:
    return artefacts.load(_SHIPPED / "hierarchical")


@pytest.fixture(scope="module")
def data() -> Images:
    """Patterns from plain to wild; the network is sure of some of them."""
    rng = np.random.default_rng(1)
    coarse = rng.integers(0, 256, (120, 4, 4, 3)).repeat(8, axis=1).repeat(8, axis=2)
    noise = rng.normal(0, 1, (120, 32, 32, 3)) * np.linspace(0, 80, 120)[:, None, None, None]
    x = np.clip(coarse + noise, 0, 255).astype(np.uint8)
    return Images("cifar10", x, np.zeros(120, np.uint8), 10, "made")


@pytest.fixture(scope="module")
def leaves(scheme: Artefact, data: Images) -> list[bool]:
    """What the device decides, picture by picture."""
    host = HostLibrary(prepare.library(scheme))
    found = [host.exits(host.run_local(x)[1]) for x in data.pictures]
    assert 5 < sum(found) < 115
    return found


def test_the_host_decides_as_the_device_does(scheme: Artefact, data: Images, leaves: list[bool]) -> None:
    numbers = [7, 3, 99, 3]
    decide = pictures.exits([artefacts.load(_SHIPPED / "agilenn"), scheme], data)  # of which one may exit
    assert decide is not None
    assert decide(numbers)[:, 0].tolist() == [leaves[n] for n in numbers]
    assert decide(numbers).shape == (4, 1)


def test_who_never_exits_or_never_sends_has_no_kinds(data: Images) -> None:
    plain = [artefacts.load(_SHIPPED / name) for name in ("agilenn", "full_offload", "local_only")]
    assert pictures.exits(plain, data) is None
    assert pictures.chosen(plain, data, 5, 1, 0) == choose_images(120, 5, 1, 0)
    assert pictures.of_the_other_kind(plain[0], data, 0) is None


@pytest.mark.parametrize("seed", range(3))
def test_two_pictures_are_one_of_each_kind_where_both_are_weighed(
    seed: int, scheme: Artefact, data: Images, leaves: list[bool]
) -> None:
    chosen, _ = pictures.chosen([scheme], data, 2, 1, seed)
    assert [leaves[n] for n in chosen] == [False, True]
    assert pictures.chosen([scheme], data, 2, 1, seed, weighted=False) == choose_images(120, 2, 1, seed)


def test_a_run_that_is_gone_on_with_keeps_its_pictures(tmp_path: Path, scheme: Artefact, data: Images) -> None:
    def stored(name: str, **more: Any) -> Path:
        store = Store.create(tmp_path / name)
        store.write_manifest(runs.manifest(**more))
        return store.folder

    earlier = stored("run", seed=0, images=[40, 41])
    assert pictures.chosen([scheme], data, 2, 1, 0, resumed=earlier)[0] == [40, 41]
    afresh = pictures.chosen([scheme], data, 3, 1, 0)
    assert pictures.chosen([scheme], data, 3, 1, 0, resumed=earlier) == afresh  # which its manifest then refuses


def test_the_next_picture_of_the_other_kind_is_named(scheme: Artefact, data: Images, leaves: list[bool]) -> None:
    for number in (0, 50, 119):
        after = [(number + i) % 120 for i in range(1, 120)]
        expected = next(n for n in after if leaves[n] != leaves[number])
        assert pictures.of_the_other_kind(scheme, data, number) == expected
