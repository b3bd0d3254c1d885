"""Defines recipes: every setting of a training, in a TOML file, checked. What was used goes beside the weights."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from baselines.networks.stages import parse_stage
from harness.contracts.toml import Strict

NetworkKind = Literal["residual", "residual64", "mobilenet", "lite0", "lite0_64"]  # modules of networks/
Widths = tuple[Annotated[int, Field(ge=1, le=4096)], ...]


class Recipe(Strict):
    """Holds what every training has. `weight_decay` is decoupled (per step: weight -= rate * decay * weight)."""

    seed: int = Field(default=0, ge=0, lt=2**31)
    epochs: int = Field(ge=0, le=10_000)
    batch: int = Field(default=128, ge=1, le=65_536)
    learning_rate: float = Field(default=0.1, gt=0, le=100)
    warmup_epochs: float = Field(default=1.0, ge=0)
    weight_decay: float = Field(default=5e-3, ge=0, le=1)
    smoothing: float = Field(default=0.0, ge=0, lt=1)
    validation: int = Field(default=5000, ge=1)  # pictures held out of the training split
    precision: Literal["float32", "bfloat16", "auto"] = "float32"  # auto: bfloat16 where the processor multiplies it
    max_train: int = Field(default=0, ge=0)  # use only so many training pictures (0 = all): for quick trials
    patience: int = Field(default=0, ge=0)  # stop after so many epochs without a better validation figure (0 = never)
    nesterov: bool = True
    input_size: int = Field(default=0, ge=0, le=256)  # scale pictures to this height and width (0 = as they are)
    optimiser: Literal["sgd", "adam"] = "sgd"  # adam: betas 0.9 and 0.999, weight decay decoupled
    clip_norm: float = Field(default=0.0, ge=0)  # limit on the norm of the whole gradient; 0 = none
    decay: Literal["cosine", "linear"] = "cosine"  # how the learning rate falls after the warm-up
    average: float = Field(default=0.0, ge=0, lt=1)  # keep a moving average of the weights, of this momentum (0 = none)
    flips: bool = True  # mirror half of the pictures, where the data set allows it
    cutout: int = Field(default=0, ge=0, le=256)  # side of a grey square on each training picture (0 = none)
    budget_flop: float = Field(default=0.0, ge=0)  # a phase that takes more is marked (0 = none stated)


class SchemeRecipe(Recipe):
    """Adds `go_on_from`: a folder of trained weights to start from, instead of from scratch.

    `recipes.files` says what may stand in its path. Not every scheme can: `agilenn_r`, `deepcod`, `hierarchical`,
    `local_only` and `partition` do, and AgileNN as far as its losses on importance are off.
    """

    go_on_from: str = ""


class ReferenceRecipe(Recipe):
    """Describes the reference network: judge of importance, teacher, and the server network of full offloading.

    `pretrained` = "imagenet" starts a `lite0` or `lite0_64` from weights trained on ImageNet-1k (pretrained/lite0.py).
    `normalisation` = "folded" takes batch statistics once, on training pictures, and trains convolutions with a bias.
    `frozen` = "stem" leaves the pre-trained stem as it is: its maps are the largest, and so are its gradients.
    `file` is a network to use instead of training one; `recipes.files` says what may stand in its path.
    """

    widths: Widths = (48, 96, 192)
    file: str = ""
    network: NetworkKind = "residual"
    pretrained: Literal["none", "imagenet"] = "none"
    mixup: float = Field(default=0.0, ge=0, le=10)  # both parameters of the beta distribution (0 = no mixing)
    normalisation: Literal["batch", "folded"] = "batch"
    frozen: Literal["nothing", "stem"] = "nothing"


class Distillation(Strict):
    """Says how to learn from the reference network's logits: weight in 0..1 against the labels' cross-entropy."""

    weight: float = Field(default=0.0, ge=0, le=1)
    temperature: float = Field(default=4.0, gt=0)


class Adaptation(Strict):
    """Asks for more training of the server network on JPEGs (training/adapted.py); with `epochs` = 0 there is none.

    `qualities` are what training pictures are coded with, in turn, and not at all if `clean`.
    """

    epochs: int = Field(default=0, ge=0, le=10_000)
    qualities: tuple[Annotated[int, Field(ge=1, le=100)], ...] = Field(default=(50, 65, 80, 90), min_length=1)
    clean: bool = True
    learning_rate: float = Field(default=2e-4, gt=0, le=100)  # Adam's rate for a network that is trained already
    weight_decay: float = Field(default=0.01, ge=0, le=1)
    distillation: Distillation = Distillation(weight=0.5)  # from the reference network on pictures as they are


class FullOffloadRecipe(Strict):
    """Describes full offloading: the reference network on the server, the whole picture on the link.

    `upscaled`: pictures are scaled to this height and width before they are sent, as in the paper (0: as they are); the
    server takes them down again. `server_of`: a folder, seen from the weights', whose network is used if it is there
    ("{dataset}" stands for the data set's name).
    """

    codec: Literal["stored", "lzw", "png", "rice", "jpeg"] = "rice"
    jpeg_quality: int = Field(default=75, ge=1, le=100)
    jpeg_chroma: Literal["420", "444"] = "420"
    upscaled: int = Field(default=0, ge=0, le=256)
    server_of: str = ""
    adapt: Adaptation = Adaptation()
    reference: ReferenceRecipe

    @model_validator(mode="after")
    def _one_server(self) -> Self:
        if self.adapt.epochs and (self.server_of or self.codec != "jpeg"):
            raise ValueError("adapt.epochs is for codec = jpeg and a server of its own (server_of = '')")
        if self.adapt.epochs and self.upscaled:
            raise ValueError("adapt.epochs is for pictures that are sent at their own size")
        return self


class LocalDistillation(Distillation):
    """Adds `once`: the teacher sees each picture once, as it is, instead of every augmented view."""

    once: bool = False


class LocalOnlyRecipe(SchemeRecipe):
    """Describes local only: a small network on the device.

    The notation of `stages` is in baselines/networks/stages.py.
    """

    stem: int = Field(default=16, ge=1, le=512)
    stem_stride: Literal[1, 2] = 2
    stages: tuple[str, ...] = ("conv 16", "conv 32 s2 d1", "conv 64 s2 d1")
    distillation: LocalDistillation = LocalDistillation()
    reference: ReferenceRecipe

    @field_validator("stages")
    @classmethod
    def _parsed(cls, stages: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(parse_stage(text)) for text in stages)


class Network(Strict):
    """Describes AgileNN's networks. `split` is the share of channels that stays local (paper, section 7.4).

    With `split` = 0 there is no local branch, and every channel is sent (the paper's footnote 9).
    """

    channels: int = Field(default=24, ge=2, le=512)
    stride: Literal[2, 3, 4] = 2  # the whole extractor's stride; 4 = twice 2
    first: Literal["conv", "separable"] = "conv"  # the extractor's first layer; its second one is separable always
    first_channels: int = Field(default=0, ge=0, le=512)  # channels of the first layer; 0 = as `channels`
    split: float = Field(default=0.2, ge=0, lt=1)
    local_widths: Widths = ()  # convolutions (stride 2 each) before the local pooling; () = pooling only, as published
    remote: NetworkKind = "residual"
    remote_normalisation: Literal["batch", "folded"] = "batch"  # folded: as the reference network's; needs its start
    remote_widths: Widths = (48, 96, 192)
    remote_start: Literal["reference", "random"] = "random"  # start the remote network from the reference body
    logit_norm: bool = False  # batch normalisation of local and remote logits, as in the public code

    @property
    def k(self) -> int:
        """Return the number of channels that stay local."""
        if self.split == 0:
            return 0
        return max(1, min(self.channels - 1, round(self.split * self.channels)))


class Importance(Strict):
    """Says how the reference network's attention to a feature is measured (paper, section 3.1; see importance.py)."""

    method: Literal["ig", "ig2", "saliency"] = "ig2"
    steps: int = Field(default=8, ge=2, le=200)  # gradients of `ig`; `ig2` is its two-point form
    attribution: Literal["loss", "score"] = "loss"
    correct_only: bool = True  # only samples that the reference network classifies rightly
    batch: int = Field(default=32, ge=1)  # samples of each batch whose importance is computed
    second_order: bool = True  # let the losses on importance reach the extractor through the gradient itself


class Losses(Strict):
    """Weighs the losses (paper, section 4.2).

    loss = lambda * prediction + (1 - lambda) * (skewness + disorder) + auxiliary terms
    """

    prediction: float = Field(default=0.5, ge=0, le=1, alias="lambda")
    rho: float = Field(default=0.8, gt=0, lt=1)
    skewness_weight: float = Field(default=1.0, ge=0)  # 1 as published
    disorder: Literal["channel", "element", "descent"] = "channel"
    disorder_weight: float = Field(default=1.0, ge=0)  # 1 as published
    disorder_margin: float = Field(default=0.0, ge=0, lt=1)  # share by which a local channel must lead; 0 as published
    local: float = Field(default=0.0, ge=0)  # weight of a cross-entropy on the local logits alone
    remote: float = Field(default=0.0, ge=0)  # the same on the remote logits alone
    reference: float = Field(default=0.0, ge=0)  # cross-entropy through the frozen reference network


class Codebook(Strict):
    """Describes the learned scalar quantiser of the sent features (paper, section 6)."""

    centroids: int = Field(default=8, ge=2, le=16)
    sharpness: float = Field(default=1.0, gt=0)  # the soft assignment's, whose gradient is used
    start: Literal["lloyd", "random"] = "lloyd"  # fitted to the warm extractor's features, or random as published
    deviation: float = Field(default=1.0, gt=0)  # how far the parameters of a random start spread
    quantise: bool = True  # False sends real numbers: a control for trials, not for a device


class Rate(Strict):
    """Weighs a loss on the bytes of what is sent, under the context codec's tables (schemes/agilenn/rate.py)."""

    per_byte: float = Field(default=0.0, ge=0)  # what a byte a picture costs, in units of the loss; 0 = no such loss
    every: int = Field(default=40, ge=1)  # steps after which the tables are learnt anew
    pictures: int = Field(default=512, ge=1)  # pictures that the tables are learnt from


class Preselect(Strict):
    """Says which k channels become the local ones before joint training starts (paper, algorithm 1)."""

    method: Literal["topk_appearance", "global_importance", "random", "none"] = "topk_appearance"
    warm_epochs: int = Field(default=1, ge=0)  # extractor in front of the frozen reference network
    samples: int = Field(default=4096, ge=1)


class AgileNNRecipe(SchemeRecipe):
    """Holds everything about AgileNN's training; `presets/` holds the paper's and the public code's settings."""

    network: Network = Network()
    importance: Importance = Importance()
    losses: Losses = Losses()
    codebook: Codebook = Codebook()
    rate: Rate = Rate()
    preselect: Preselect = Preselect()
    finish_epochs: int = Field(default=0, ge=0)  # epochs of the local branch alone, all before it frozen
    finish_learning_rate: float = Field(default=0.0, ge=0, le=100)  # for those epochs; 0 = as `learning_rate`
    clip_norm: float = Field(default=5.0, ge=0)  # limit on the norm of the whole gradient; 0 = none
    temperature: float = Field(default=6.0, gt=0)  # T of alpha = sigmoid(w / T)
    alpha: Literal["learned", "validation"] = "learned"  # as trained, or the best of 0.05, 0.10 ... on validation
    distillation: Distillation = Distillation()
    exit_loss: float = Field(default=0.0, ge=0, lt=1)  # accuracy that early exits may cost on validation; 0 = no exits
    codec: Literal["stored", "lzw", "context"] = "context"  # lzw is the paper's; docs/codecs.md
    reference: ReferenceRecipe
