"""Pictures and networks that do not belong together are refused in one line; scaled ones are scaled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.artefacts.images import Images
from harness.contracts.description import DeviceDescription
from harness.contracts.errors import BenchError

DATA = Images("tiny", np.zeros((3, 32, 32, 3), np.uint8), np.zeros(3, np.uint8), 10, "sum")


def network(size: int, classes: int, **more: Any) -> DeviceDescription:
    return DeviceDescription(
        scheme="near",
        dataset="tiny",
        profile="compact",
        classes=classes,
        input_shape=(size, size, 3),
        graph=True,
        offload="none",
        features_output=-1,
        local_logits_output=0,
        alpha=1.0,
        **more,
    )


@pytest.mark.parametrize(("size", "classes"), [(32, 100), (64, 10)])
def test_another_number_of_classes_or_size_is_refused(size: int, classes: int) -> None:
    with pytest.raises(BenchError) as error:
        DATA.fitting(network(size, classes))
    assert f"takes {size}x{size} pictures of {classes} classes, tiny has 32x32 and 10" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_network_that_asks_for_it_gets_scaled_pictures() -> None:
    assert DATA.fitting(network(96, 10, scale_pictures=True)).pictures.shape == (3, 96, 96, 3)
    assert DATA.fitting(network(32, 10)).pictures is DATA.pictures
    with pytest.raises(BenchError, match="100 classes"):
        DATA.fitting(network(96, 100, scale_pictures=True))
