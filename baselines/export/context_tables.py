"""Learns the context codec's tables from the symbols of training pictures: counts, classes of similar contexts, shares.

It is pure numpy and free of chance: the same symbols give the same tables.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from harness.contracts.context import TOTAL, ContextTables, why_not
from harness.contracts.description import DeviceDescription
from harness.contracts.errors import BenchError

PICTURES = 4000  # this is enough: 500 pictures give tables that code as well to a thousandth
CLASSES = 64  # they take 2 KB on the device at 8 symbols; 255 classes code a thousandth shorter

OTHER_CODECS = "choose codec = lzw (shuffle for 8-bit features)"

Counts = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


def tables_for(
    description: DeviceDescription, graph: bytes | None, pictures: npt.NDArray[np.uint8]
) -> ContextTables | None:
    """Return the tables of a scheme about to be exported, made from uint8 training pictures.

    It returns None when the scheme's codec takes none.

    Raises:
        BenchError: the context codec does not take such features.
    """
    if description.codec != "context" or graph is None:
        return None
    from baselines.export.borders import output_shape  # noqa: PLC0415
    from baselines.export.evaluation import device_half  # noqa: PLC0415 - runs an interpreter

    _, height, width, _ = output_shape(graph, description.features_output)
    if why := why_not(description.n_symbols, width, description.channels):  # before the pictures are run
        raise BenchError(why, cure=OTHER_CODECS)
    symbols, _ = device_half(description, graph, pictures)
    if symbols is None:
        return None
    return learn_tables(symbols, description.n_symbols, (height, width, description.channels))


def learn_tables(
    symbols: npt.NDArray[np.uint8], n_symbols: int, shape: tuple[int, int, int], *, classes: int = CLASSES
) -> ContextTables:
    """Learn tables for feature maps like these.

    Args:
        symbols: uint8 [pictures, height * width * channels], in the order height, width, channel.
        n_symbols: size of the alphabet.
        shape: height, width and channels of a map.
        classes: the greatest number of classes of contexts.

    Raises:
        BenchError: the context codec does not take such features.
    """
    _, width, channels = shape
    if why := why_not(n_symbols, width, channels):
        raise BenchError(why, cure=OTHER_CODECS)
    counts = _smoothed(context_counts(symbols, n_symbols, shape))
    flat = counts.reshape(-1, n_symbols)
    labels = _classes(flat, classes)
    shares = _frequencies(np.stack([flat[labels == k].sum(axis=0) for k in range(labels.max() + 1)]))
    return ContextTables(
        n_symbols=n_symbols,
        width=width,
        channels=channels,
        class_of=labels.reshape(channels, -1).tolist(),
        frequencies=shares.tolist(),
    )


def context_counts(symbols: npt.NDArray[np.uint8], n_symbols: int, shape: tuple[int, int, int]) -> Counts:
    """Count how often each symbol follows each context: float64 [channel, above, left, symbol]."""
    maps = symbols.reshape(-1, *shape).astype(np.int64)
    n, channels = n_symbols, shape[2]
    above, left = np.zeros_like(maps), np.zeros_like(maps)
    above[:, 1:] = maps[:, :-1]
    left[:, :, 1:] = maps[:, :, :-1]
    index = ((np.arange(channels) * n + above) * n + left) * n + maps
    counts = np.bincount(index.ravel(), minlength=channels * n**3).astype(np.float64)
    return counts.reshape(channels, n, n, n)


def bits_per_picture(tables: ContextTables, counts: Counts, pictures: int) -> float:
    """Return the bits that the range coder needs for such counts, without its last byte."""
    shares = np.array(tables.frequencies) / TOTAL
    labels = np.array(tables.class_of).ravel()
    return float(-(counts.reshape(-1, tables.n_symbols) * np.log2(shares[labels])).sum() / pictures)


def _smoothed(counts: Counts) -> Counts:
    """Add to the counts a few more by what is known of wider contexts: channel and left symbol, channel, everything.

    So a context that training pictures never show goes to the class of contexts like it.
    """
    everywhere = counts.sum(axis=(0, 1, 2)) + 1.0
    of_channel = counts.sum(axis=(1, 2)) + 4.0 * everywhere / everywhere.sum()
    of_channel /= of_channel.sum(axis=1, keepdims=True)
    of_left = counts.sum(axis=1) + 4.0 * of_channel[:, None]
    of_left /= of_left.sum(axis=2, keepdims=True)
    smoothed: Counts = counts + 0.5 * of_left[:, None]
    return smoothed


def _information(counts: Counts) -> Any:
    """Return the bits that rows of counts take by their own shares: [..., n] -> [...]."""
    return -(counts * np.log2(counts / counts.sum(axis=-1, keepdims=True))).sum(axis=-1)


def _classes(counts: Counts, most: int) -> Labels:
    """Assign a class 0..k-1 to each row, k <= most.

    The costliest class is split in two until there are enough; then rows move to the class that codes them shortest
    until none moves (Lloyd's algorithm with coding cost as the distance).
    """
    labels: Labels = np.zeros(len(counts), np.int64)
    losses = [_loss(counts)]
    while len(losses) < min(most, len(counts)):
        worst = int(np.argmax(losses))
        if losses[worst] <= 0:
            break
        rows = np.flatnonzero(labels == worst)
        upper = _halves(counts[rows])
        if upper.all() or not upper.any():
            losses[worst] = 0.0
            continue
        labels[rows[upper]] = len(losses)
        losses[worst] = _loss(counts[rows[~upper]])
        losses.append(_loss(counts[rows[upper]]))
    for _ in range(20):
        moved = np.argmax(counts @ _logs(counts, labels).T, axis=1)
        moved = np.unique(moved, return_inverse=True)[1].astype(np.int64)  # a class that nobody chose is gone
        if np.array_equal(moved, labels):
            break
        labels = moved
    return labels


def _loss(counts: Counts) -> float:
    """Return the bits that it costs to code these rows by one table instead of each by its own."""
    return float(_information(counts.sum(axis=0)) - _information(counts).sum())


def _logs(counts: Counts, labels: Labels) -> Counts:
    sums = np.stack([counts[labels == k].sum(axis=0) for k in range(labels.max() + 1)])
    logs: Counts = np.log2(sums / sums.sum(axis=1, keepdims=True))
    return logs


def _halves(counts: Counts) -> npt.NDArray[np.bool_]:
    """Divide the rows into two groups that take fewer bits apart.

    The search starts at the share of the commonest symbol, and goes on as Lloyd does.
    """
    common = counts[:, np.argmax(counts.sum(axis=0))] / counts.sum(axis=1)
    upper: npt.NDArray[np.bool_] = common > np.average(common, weights=counts.sum(axis=1))
    for _ in range(10):
        if upper.all() or not upper.any():
            break
        logs = _logs(counts, upper.astype(np.int64))
        better = counts @ (logs[1] - logs[0]) > 0
        if np.array_equal(better, upper):
            break
        upper = better
    return upper


def _frequencies(counts: Counts) -> Labels:
    """Return shares of `TOTAL` for each row, each at least 1: round down, then give the rest where it saves most."""
    shares = counts / counts.sum(axis=1, keepdims=True)
    out = np.maximum(1, np.floor(shares * TOTAL)).astype(np.int64)
    for row, share in zip(out, shares, strict=True):
        while row.sum() != TOTAL:
            if row.sum() < TOTAL:
                row[np.argmax(share * np.log((row + 1) / row))] += 1
            else:
                cost = np.where(row > 1, share * np.log(row / np.maximum(row - 1, 1)), np.inf)
                row[np.argmin(cost)] -= 1
    frequencies: Labels = out
    return frequencies
