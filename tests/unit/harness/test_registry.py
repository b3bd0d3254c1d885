"""Names that are not known are told with those that are."""

from __future__ import annotations

import pytest

from harness import images, registry
from harness.contracts.errors import BenchError


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(BenchError, match=r"unknown scheme 'magic': choose from .*agilenn"):
        registry.check_name(registry.SCHEMES, "scheme", "magic")
    with pytest.raises(BenchError, match=r"unknown testbed 'moon': choose from .*virtual"):
        registry.testbed_class("moon")
    with pytest.raises(BenchError, match=r"unknown data set 'moon': choose from .*cifar10"):
        images.check_name("moon")


def test_schemes_are_listed_agilenn_first() -> None:
    assert registry.scheme_names()[0] == "agilenn"
    assert registry.scheme("agilenn").name == "agilenn"
