"""Shows pictures as they arrive after a lossy codec, for choices made in training.

The device has its own JPEG encoder (testbeds/firmware); this is Pillow's at the same quality, which differs from it in
rounding only. The accuracy that tables show is measured with the device's.
"""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt

UInt8 = npt.NDArray[np.uint8]


def through_jpeg(pictures: UInt8, quality: int, chroma: str) -> UInt8:
    """Return uint8 pictures [n, h, w, 3] as they are after JPEG at `quality` with chroma `420` or `444`."""
    from PIL import Image  # noqa: PLC0415 - only lossy schemes need it

    out = np.empty_like(pictures)
    for i, picture in enumerate(pictures):
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=quality, subsampling=0 if chroma == "444" else 2)
        with Image.open(file) as decoded:
            out[i] = np.asarray(decoded)
    return out
