"""Says what makes a set of measured latencies hard to believe, in words with what to look for. Nothing is dropped for
it.

For times of a real board or of this host: on an emulated board samples differ only by their images.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.analysis import stats
from harness.analysis.differences import median_difference
from harness.analysis.digits import significant

_FEW = 8  # values under which nothing is said
_DRIFT = 0.02  # share of the median, from the first half to the second
_SPREAD = 0.10  # share of the median, between the quartiles
_SIDE = 0.2  # share of the samples that each of two groups must have
_GAP = 0.5  # of the range of the middle 90 %, between two groups
_TOLD = 3  # outliers named by their images


def complaints(latencies_ms: Sequence[float], *, asked_share: float | None = None) -> list[str]:
    """Return sentences on latencies (ms) in the order in which they were taken; none when there is nothing to say.

    Args:
        asked_share: the width of the interval that was asked for (`--repeat-until`), as a share of the median.
    """
    said: list[str] = []
    interval = stats.median_interval(latencies_ms)
    if interval is None:
        return said
    width = interval.width_share
    if asked_share is not None and width is not None and width > asked_share:
        said.append(
            f"after {interval.n} samples the median's interval is still {_percent(width)} of it wide, asked for were "
            f"{_percent(asked_share)}: raise --max-samples, or find what disturbs the board"
        )
    if len(latencies_ms) < _FEW:
        return said
    return said + [text for text in (_drift(latencies_ms), _groups(latencies_ms), _spread(latencies_ms)) if text]


def outlier_text(images: Sequence[int]) -> str:
    """Name the pictures of outliers, as many as are worth naming."""
    shown = ", ".join(map(str, images[:_TOLD]))
    more = f" and {len(images) - _TOLD} more" if len(images) > _TOLD else ""
    return f"image{'s' if len(images) > 1 else ''} {shown}{more}"


def _drift(values: Sequence[float]) -> str | None:
    half = len(values) // 2
    found = median_difference(values[:half], values[-half:])
    if found is None or found.share is None or found.verdict(_DRIFT) not in ("higher", "lower"):
        return None
    way = "rose" if found.difference > 0 else "fell"
    return (
        f"latency {way} by {_percent(abs(found.share))} from the first half of its samples to the second: the board "
        "was not settled (more --warmup), grew warm, or something else began or ended beside it"
    )


def _groups(values: Sequence[float]) -> str | None:
    """Find two groups with a gap between them that is more than half of the range."""
    data = np.sort(np.asarray(values, dtype=float))
    ends = len(data) // 20  # a single sample far off is no group
    kept = data[ends : len(data) - ends]
    if kept[-1] <= kept[0]:
        return None
    gaps = np.diff(kept)
    at = int(np.argmax(gaps))
    least = _SIDE * len(kept)
    if gaps[at] < _GAP * (kept[-1] - kept[0]) or min(at + 1, len(kept) - at - 1) < least:
        return None
    low, high = float(np.median(kept[: at + 1])), float(np.median(kept[at + 1 :]))
    if high - low < _SPREAD * low:
        return None
    return (
        f"latencies fall into two groups, around {significant(low)} and {significant(high)} ms: something switches "
        "between two states (clock scaling, Wi-Fi power saving, retransmissions, another process)"
    )


def _spread(values: Sequence[float]) -> str | None:
    low, middle, high = np.percentile(np.asarray(values, dtype=float), [25, 50, 75])
    if not middle or (high - low) / middle <= _SPREAD:
        return None
    return (
        f"the middle half of the samples spans {_percent((high - low) / middle)} of the median: other work on the "
        "host, the radio, or images that differ much (see payload_bytes)"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
