"""Reads the pixels of a JPEG file by Pillow (libjpeg-turbo), with which the edge server decodes."""

from __future__ import annotations

import io
import struct

import numpy as np
import numpy.typing as npt


def pixels(file: bytes, width: int, height: int) -> npt.NDArray[np.uint8]:
    """Return uint8 [height, width, 3] of a file that must be a picture of that size.

    Raises:
        ValueError: the file is not such a picture, or is damaged.
    """
    from PIL import Image  # noqa: PLC0415 - only who decodes JPEG pays for it

    try:
        with Image.open(io.BytesIO(file), formats=("JPEG",)) as image:  # reads the head alone
            if image.size != (width, height) or image.mode != "RGB":
                raise ValueError(f"{image.mode} of {image.size}, not RGB of {(width, height)}")
            return np.asarray(image, np.uint8)
    except (OSError, SyntaxError, IndexError, struct.error, Image.DecompressionBombError) as e:
        raise ValueError(str(e)) from e
