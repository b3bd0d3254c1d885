"""Keeps which pictures of a test set were answered rightly, a bit a picture, so that two schemes can be compared on
them.
"""

from __future__ import annotations

import base64
import binascii

import numpy as np
import numpy.typing as npt


def packed(right: npt.NDArray[np.bool_]) -> str:
    """Return bool [n] in the test set's order as base64 of its bits, the first picture in the highest bit."""
    return base64.b64encode(np.packbits(right).tobytes()).decode("ascii")


def unpacked(text: str, n: int) -> npt.NDArray[np.bool_]:
    """Return the bool [n] that `packed` was given.

    Raises:
        ValueError: the text is no base64, or is not of n pictures.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as e:
        raise ValueError(f"answers are no base64 ({e})") from e
    if len(data) != -(-n // 8):
        raise ValueError(f"answers of {8 * len(data)} pictures, not of {n}")
    return np.unpackbits(np.frombuffer(data, np.uint8), count=n).astype(np.bool_)
