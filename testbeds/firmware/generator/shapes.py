"""Describes windows over an image: output size and padding as TensorFlow Lite defines them."""

from __future__ import annotations

from dataclasses import dataclass

from harness.contracts.errors import BenchError


@dataclass(frozen=True)
class Window:
    """Describes a kernel of kh x kw moved by sy, sx over height x width x channels; pt rows, pl columns before."""

    height: int
    width: int
    channels: int
    kh: int
    kw: int
    sy: int
    sx: int
    pt: int
    pl: int
    out_height: int
    out_width: int

    @property
    def contiguous(self) -> bool:
        """Tell whether this is a 1x1 kernel at every pixel, so that the image is one long row."""
        return (self.kh, self.kw, self.sy, self.sx, self.pt, self.pl) == (1, 1, 1, 1, 0, 0)


def window(hwc: tuple[int, int, int], kernel: tuple[int, int], stride: tuple[int, int], same: bool, who: str) -> Window:
    """Return the window; padding `same` puts the odd row or column after, as TensorFlow does.

    Raises:
        BenchError: the stride or the kernel leaves no output.
    """
    (height, width, channels), (kh, kw), (sy, sx) = hwc, kernel, stride
    if min(height, width, channels, kh, kw, sy, sx) < 1:
        raise BenchError(f"{who} has a kernel, stride or input of size 0", "export the model again")
    if same:
        oh, ow = -(-height // sy), -(-width // sx)
        pt = max(0, (oh - 1) * sy + kh - height) // 2
        pl = max(0, (ow - 1) * sx + kw - width) // 2
    else:
        oh, ow, pt, pl = (height - kh) // sy + 1, (width - kw) // sx + 1, 0, 0
    if not same and (kh > height or kw > width):
        raise BenchError(f"{who} has a kernel larger than its input", "export the model again")
    return Window(height, width, channels, kh, kw, sy, sx, pt, pl, oh, ow)
