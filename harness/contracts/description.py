"""Defines what a trained scheme hands over: a folder of files, and a description that device, edge and host all
obey.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from harness.contracts.codecs import PICTURE_CODECS, Codec
from harness.contracts.context import CONTEXT, MAX_SYMBOLS, ContextTables
from harness.contracts.errors import BenchError
from harness.contracts.toml import Strict, read_toml

DESCRIPTION = "description.toml"
GRAPH = "device.tflite"
SERVER = "server.npz"
_HASHED = (CONTEXT, DESCRIPTION, GRAPH, SERVER)  # sorted; what makes device and server belong together

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]{0,23}$")]


class DeviceDescription(Strict):
    """Describes one scheme as the device's single flow sees it (local graph -> exit? -> quantise -> encode -> combine).

    `symbol_table[v + 128]` is the symbol of the int8 feature value v. Symbols are sent in the order height, width,
    channel of the slice `[first_channel, first_channel + channels)`. `alpha` weighs the local logits:
    combined = alpha * local + (1 - alpha) * remote (AgileNN, section 3.2). `exit_threshold` > 1 never exits early.
    `split` is the number of the network's blocks that run on the device, for a scheme that has that choice.
    `constant_channels` are not sent: the server's network takes `channels` and these together, counted in its order;
    each of them always is the symbol in `constant_symbols`.
    """

    scheme: Name
    dataset: Name
    profile: Name
    classes: int = Field(ge=2, le=1000)
    input_shape: tuple[int, int, int]
    scale_pictures: bool = False  # pictures of another size are scaled to input_shape before they reach the device
    graph: bool
    offload: Literal["none", "image", "features"]
    features_output: int = Field(ge=-1, le=7)
    local_logits_output: int = Field(ge=-1, le=7)
    first_channel: int = Field(default=0, ge=0)
    channels: int = Field(default=0, ge=0)
    constant_channels: list[Annotated[int, Field(ge=0, le=4095)]] = Field(default_factory=list)
    constant_symbols: list[Annotated[int, Field(ge=0, le=255)]] = Field(default_factory=list)
    n_symbols: int = Field(default=256, ge=2, le=256)
    symbol_table: list[Annotated[int, Field(ge=0, le=255)]] = Field(default_factory=list)
    centroids: list[float] = Field(default_factory=list)
    codec: Codec = "stored"
    jpeg_quality: int = Field(default=75, ge=1, le=100)
    jpeg_chroma: Literal["420", "444"] = "420"
    # The folder, seen from this one, whose server.npz is used, and the SHA-256 that it must have; "" = this folder.
    server_of: Annotated[str, Field(pattern=r"^((\.\./){1,2}[a-z0-9][a-z0-9_-]*(/[a-z0-9][a-z0-9_-]*)?)?$")] = ""
    server_sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    alpha: float = Field(ge=0.0, le=1.0)
    exit_threshold: float = Field(default=2.0, ge=0.0, le=2.0)
    split: int = Field(default=0, ge=0, le=64)

    @model_validator(mode="after")
    def _consistent(self) -> DeviceDescription:
        height, width, depth = self.input_shape
        if not (1 <= height <= 256 and 1 <= width <= 256 and depth == 3):
            raise ValueError("input_shape must be (1..256, 1..256, 3)")
        if self.offload == "none" and self.local_logits_output < 0:
            raise ValueError("offload none needs local_logits_output")
        if self.offload == "features" and (self.features_output < 0 or self.channels < 1):
            raise ValueError("offload features needs features_output and channels")
        if self.local_logits_output < 0 and self.alpha > 0:
            raise ValueError(f"alpha {self.alpha:g} weighs local logits, and local_logits_output is -1: set alpha to 0")
        if self.local_logits_output < 0 and self.exit_threshold <= 1:
            raise ValueError(
                f"exit_threshold {self.exit_threshold:g} looks at local logits, and local_logits_output is -1"
            )
        if self.features_output >= 0 and self.features_output == self.local_logits_output:
            raise ValueError("features_output and local_logits_output are the same output")
        if not self.graph and (self.features_output >= 0 or self.local_logits_output >= 0):
            raise ValueError("outputs are named but graph is false")
        if self.offload == "features" and len(self.symbol_table) != 256:
            raise ValueError("offload features needs a symbol_table of 256 entries")
        if self.offload != "image" and self.codec in PICTURE_CODECS:
            raise ValueError(f"codec {self.codec} is for pictures: it needs offload image")
        if self.codec == "context" and (self.offload != "features" or self.n_symbols > MAX_SYMBOLS):
            raise ValueError(f"codec context is for features of at most {MAX_SYMBOLS} symbols: choose lzw or shuffle")
        if bool(self.server_of) != bool(self.server_sha256):
            raise ValueError("server_of and server_sha256 belong together")
        if any(symbol >= self.n_symbols for symbol in self.symbol_table):
            raise ValueError("symbol_table holds a symbol >= n_symbols")
        self._check_constant()
        return self

    def _check_constant(self) -> None:
        channels, symbols = self.constant_channels, self.constant_symbols
        if len(channels) != len(symbols):
            raise ValueError("constant_channels and constant_symbols belong together, one symbol a channel")
        if channels != sorted(set(channels)) or any(c >= self.channels + len(channels) for c in channels):
            raise ValueError("constant_channels must ascend, below channels plus their own number")
        if any(symbol >= self.n_symbols for symbol in symbols):
            raise ValueError("constant_symbols holds a symbol >= n_symbols")

    @property
    def label(self) -> str:
        """Return `scheme-dataset-profile`, as the device reports it."""
        return f"{self.scheme}-{self.dataset}-{self.profile}"

    @property
    def quality(self) -> int:
        """Return JPEG's quality as device and codecs take it: bit 7 is set for 4:4:4."""
        return self.jpeg_quality | (0x80 if self.jpeg_chroma == "444" else 0)

    @property
    def image_bytes(self) -> int:
        """Return the bytes of one uint8 input picture."""
        height, width, depth = self.input_shape
        return height * width * depth


def load_description(folder: Path) -> DeviceDescription:
    """Read and check `folder/description.toml` and that the files it implies are there.

    Raises:
        BenchError: something is missing or wrong, with the file and key.
    """
    if not folder.is_dir():
        raise BenchError(
            f"no trained weights at {folder}", cure="train them: python -m harness.train SCHEME --dataset D"
        )
    description = read_toml(folder / DESCRIPTION, DeviceDescription)
    wanted = [GRAPH] if description.graph else []
    if description.offload != "none" and not description.server_of:
        wanted.append(SERVER)
    if description.codec == "context":
        wanted.append(CONTEXT)
    for name in wanted:
        try:
            with (folder / name).open("rb") as f:
                f.read(1)
        except OSError as e:
            raise BenchError(f"{folder / name} can't be read ({e.strerror})", cure="train or restore it") from e
    if description.server_of:
        file = server_file(folder, description)
        if file_sha256(file) != description.server_sha256:
            raise BenchError(
                f"{folder / DESCRIPTION} was made for another {file}",
                cure=f"make it anew: python -m harness.train {description.scheme} --dataset {description.dataset}"
                f" --profile {description.profile}",
            )
    return description


def server_file(folder: Path, description: DeviceDescription) -> Path:
    """Return the path of the server network that the artefact in `folder` uses."""
    return folder / description.server_of / SERVER


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, hex.

    Raises:
        BenchError: it can't be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as e:
        raise BenchError(f"{path} can't be read ({e.strerror})", cure="train or restore it") from e


def load_context(folder: Path, description: DeviceDescription) -> ContextTables | None:
    """Return the context codec's tables of an artefact; None for schemes with another codec.

    Raises:
        BenchError: they are missing, damaged, or of other features.
    """
    if description.codec != "context":
        return None
    tables = read_toml(folder / CONTEXT, ContextTables)
    if (tables.n_symbols, tables.channels) != (description.n_symbols, description.channels):
        raise BenchError(
            f"{folder / CONTEXT} is for {tables.channels} channels of {tables.n_symbols} symbols, {DESCRIPTION} says "
            f"{description.channels} of {description.n_symbols}",
            cure=f"make it anew: python -m harness.retable {folder}",
        )
    return tables


def weights_hash(folder: Path) -> str:
    """Return the SHA-256 (hex) over the files that device and server must share, names and lengths included.

    Raises:
        BenchError: a file can't be read.
    """
    digest = hashlib.sha256()
    for name in _HASHED:
        path = folder / name
        if not path.exists():
            continue
        try:
            data = path.read_bytes()
        except OSError as e:
            raise BenchError(f"{path} can't be read ({e.strerror})", cure="check its permissions") from e
        digest.update(f"{name} {len(data)}\n".encode())
        digest.update(data)
    return digest.hexdigest()


def weights_u32(folder: Path) -> int:
    """Return the first four bytes of `weights_hash` as a little-endian u32: what device and edge show each other."""
    return int.from_bytes(bytes.fromhex(weights_hash(folder)[:8]), "little")
