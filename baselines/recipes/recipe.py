"""Recipes: every setting of a training, in a TOML file, checked. What was used goes beside the weights."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import Field, ValidationError, field_validator, model_validator

from baselines.data import dataset_names
from baselines.networks.stages import parse_stage
from baselines.training.interface import TrainOptions
from harness.contracts import reading
from harness.contracts.errors import BenchError
from harness.contracts.problems import first_problem, key_of
from harness.contracts.toml import Strict

RECIPES = Path(__file__).parent
PRESETS = RECIPES / "presets"

# "auto" computes as "bfloat16" does wherever that pays: what was trained by the one is found by the other.
_SAME: dict[Any, Any] = {("precision", "auto"): "bfloat16"}

# Keys that came later, with the value that older trainings had: at that value they are left out of a recipe's hash,
# so that what was trained before is still found.
_LATER: dict[str, Any] = {
    "patience": 0,
    "nesterov": True,
    "input_size": 0,
    "optimiser": "sgd",
    "decay": "cosine",
    "average": 0.0,
    "flips": True,
    "cutout": 0,
    "mixup": 0.0,
    "budget_flop": 0.0,
    "clip_norm": 0.0,  # of the reference network; AgileNN's own default is another, and so in every hash
    "pretrained": "none",
    "normalisation": "batch",
    "network": "residual",  # of the reference network
    "network.first": "conv",
    "network.first_channels": 0,
    "network.remote": "residual",
    "network.remote_normalisation": "batch",
    "network.logit_norm": False,
    "importance.second_order": True,
    "losses.skewness_weight": 1.0,
    "codebook.start": "lloyd",
    "codebook.deviation": 1.0,
    "exit_loss": 0.0,
    "adapt": {},
    "adapt.epochs": 0,
    "adapt.qualities": [50, 65, 80, 90],
    "adapt.clean": True,
    "adapt.learning_rate": 2e-4,
    "adapt.weight_decay": 0.01,
    "adapt.distillation": {},
    "adapt.distillation.weight": 0.5,
    "adapt.distillation.temperature": 4.0,
    "classifier": "frozen",  # of DeepCOD
    "labels_weight": 0.0,
    "rate": {},  # all keys of it at their old values
    "rate.per_byte": 0.0,
    "rate.every": 40,
    "rate.pictures": 512,
    "codebook.quantise": True,
}

# Keys that a scheme and its reference network must have alike: one key sets both. Held-out pictures that the other had
# trained on would be no validation.
_ONCE = ("validation", "input_size")

NetworkKind = Literal["residual", "mobilenet", "lite0"]  # modules of networks/
Widths = tuple[Annotated[int, Field(ge=1, le=4096)], ...]


class Recipe(Strict):
    """What every training has. `weight_decay` is decoupled (per step: weight -= rate * decay * weight)."""

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
    clip_norm: float = Field(default=0.0, ge=0)  # of the whole gradient; 0 = never
    decay: Literal["cosine", "linear"] = "cosine"  # of the learning rate, after the warm-up
    average: float = Field(default=0.0, ge=0, lt=1)  # keep a moving average of the weights, of this momentum (0 = none)
    flips: bool = True  # mirror half of the pictures, where the data set allows it
    cutout: int = Field(default=0, ge=0, le=256)  # side of a grey square on each training picture (0 = none)
    budget_flop: float = Field(default=0.0, ge=0)  # refuse a phase that takes more in its steps (0 = not stated)


class ReferenceRecipe(Recipe):
    """The reference network: judge of importance, teacher, and the server network of full offloading.

    `pretrained` = "imagenet" starts a `lite0` from weights trained on ImageNet-1k (pretrained/lite0.py).
    `normalisation` = "folded" takes batch statistics once, on training pictures, and trains convolutions with a bias.
    """

    widths: Widths = (48, 96, 192)
    file: str = ""  # use this network file instead of training one
    network: NetworkKind = "residual"
    pretrained: Literal["none", "imagenet"] = "none"
    mixup: float = Field(default=0.0, ge=0, le=10)  # both parameters of the beta distribution (0 = no mixing)
    normalisation: Literal["batch", "folded"] = "batch"


class Distillation(Strict):
    """Learning from the reference network's logits: weight in 0..1 against the labels' cross-entropy."""

    weight: float = Field(default=0.0, ge=0, le=1)
    temperature: float = Field(default=4.0, gt=0)


class Adaptation(Strict):
    """Some more training of the server network on JPEGs (training/adapted.py); with `epochs` = 0 there is none.

    `qualities` are what training pictures are coded with, in turn, and not at all if `clean`.
    """

    epochs: int = Field(default=0, ge=0, le=10_000)
    qualities: tuple[Annotated[int, Field(ge=1, le=100)], ...] = Field(default=(50, 65, 80, 90), min_length=1)
    clean: bool = True
    learning_rate: float = Field(default=2e-4, gt=0, le=100)  # of Adam, for a network that is trained already
    weight_decay: float = Field(default=0.01, ge=0, le=1)
    distillation: Distillation = Distillation(weight=0.5)  # from the reference network on pictures as they are


class FullOffloadRecipe(Strict):
    """Full offloading: the reference network on the server, the whole picture on the link.

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
        if self.adapt.epochs and (self.upscaled or self.reference.input_size):
            raise ValueError("adapt.epochs is for pictures that are sent at their own size")
        return self


class LocalDistillation(Distillation):
    """`once`: the teacher sees each picture once, as it is, instead of every augmented view."""

    once: bool = False


class LocalOnlyRecipe(Recipe):
    """Local only: a small network on the device. The notation of `stages` is in baselines/networks/stages.py."""

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
    """AgileNN's networks. `split` is the share of channels that stays local (paper, section 7.4).

    `split` = 0 keeps none: no local branch, every channel is sent (the paper's footnote 9).
    """

    channels: int = Field(default=24, ge=2, le=512)
    stride: Literal[2, 3, 4] = 2  # of the whole extractor; 4 = twice 2
    first: Literal["conv", "separable"] = "conv"  # the extractor's first layer; its second one is separable always
    first_channels: int = Field(default=0, ge=0, le=512)  # of the first layer; 0 = as `channels`
    split: float = Field(default=0.2, ge=0, lt=1)
    local_widths: Widths = ()  # convolutions (stride 2 each) before the local pooling; () = pooling only, as published
    remote: NetworkKind = "residual"
    remote_normalisation: Literal["batch", "folded"] = "batch"  # folded: as the reference network's; needs its start
    remote_widths: Widths = (48, 96, 192)
    remote_start: Literal["reference", "random"] = "random"  # start the remote network from the reference body
    logit_norm: bool = False  # batch normalisation of local and remote logits, as in the public code

    @property
    def k(self) -> int:
        """Channels that stay local."""
        if self.split == 0:
            return 0
        return max(1, min(self.channels - 1, round(self.split * self.channels)))


class Importance(Strict):
    """How the reference network's attention to a feature is measured (paper, section 3.1; see importance.py)."""

    method: Literal["ig", "ig2", "saliency"] = "ig2"
    steps: int = Field(default=8, ge=2, le=200)  # gradients of `ig`; `ig2` is its two-point form
    attribution: Literal["loss", "score"] = "loss"
    correct_only: bool = True  # only samples that the reference network classifies rightly
    batch: int = Field(default=32, ge=1)  # samples of each batch whose importance is computed
    second_order: bool = True  # let the losses on importance reach the extractor through the gradient itself


class Losses(Strict):
    """loss = lambda * prediction + (1 - lambda) * (skewness + disorder) + auxiliary terms (paper, section 4.2)."""

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
    """Learned scalar quantiser of the sent features (paper, section 6)."""

    centroids: int = Field(default=8, ge=2, le=16)
    sharpness: float = Field(default=1.0, gt=0)  # of the soft assignment whose gradient is used
    start: Literal["lloyd", "random"] = "lloyd"  # fitted to the warm extractor's features, or random as published
    deviation: float = Field(default=1.0, gt=0)  # of the normal distribution that random parameters are drawn from
    quantise: bool = True  # False sends real numbers: a control for trials, not for a device


class Rate(Strict):
    """A loss on the bytes of what is sent, under the context codec's tables (schemes/agilenn/rate.py)."""

    per_byte: float = Field(default=0.0, ge=0)  # what a byte a picture costs, in units of the loss; 0 = no such loss
    every: int = Field(default=40, ge=1)  # steps after which the tables are learnt anew
    pictures: int = Field(default=512, ge=1)  # that they are learnt from


class Preselect(Strict):
    """Which k channels become the local ones before joint training starts (paper, algorithm 1)."""

    method: Literal["topk_appearance", "global_importance", "random", "none"] = "topk_appearance"
    warm_epochs: int = Field(default=1, ge=0)  # extractor in front of the frozen reference network
    samples: int = Field(default=4096, ge=1)


class AgileNNRecipe(Recipe):
    """Everything about AgileNN's training; `presets/` holds the paper's and the public code's settings."""

    network: Network = Network()
    importance: Importance = Importance()
    losses: Losses = Losses()
    codebook: Codebook = Codebook()
    rate: Rate = Rate()
    preselect: Preselect = Preselect()
    finish_epochs: int = Field(default=0, ge=0)  # of the local branch alone, everything before it frozen
    clip_norm: float = Field(default=5.0, ge=0)  # of the whole gradient; 0 = never
    temperature: float = Field(default=6.0, gt=0)  # T of alpha = sigmoid(w / T)
    alpha: Literal["learned", "validation"] = "learned"  # as trained, or the best of 0.05, 0.10 ... on validation
    distillation: Distillation = Distillation()
    exit_loss: float = Field(default=0.0, ge=0, lt=1)  # accuracy that early exits may cost on validation; 0 = no exits
    codec: Literal["stored", "lzw", "context"] = "context"  # lzw is the paper's; docs/codecs.md
    reference: ReferenceRecipe


R = TypeVar("R", bound=Strict)


def load_recipe(
    model: type[R],
    scheme: str,
    dataset: str,
    profile: str,
    *,
    file: Path | None = None,
    preset: str | None = None,
    overrides: dict[str, str] | None = None,
    by_option: dict[str, str] | None = None,
) -> R:
    """Read the recipe of a scheme: `file`, else `recipes/<scheme>-<profile>[-<dataset>].toml`.

    Args:
        preset: keys laid over the recipe, from `recipes/presets/<scheme>-<preset>.toml`; those under its section
            `dataset.<name>` for that data set only.
        overrides: dotted keys and TOML values, e.g. `{"losses.rho": "0.7"}`; a value that is no TOML is a string.
        by_option: the option by which the user gave one of them, where that is not --set.

    Raises:
        BenchError: no such recipe or preset, an unknown key, a value out of range.
    """
    path = file if file is not None else _shipped(scheme, dataset, profile)
    tree = _read(path)
    if preset is not None:
        over = _read(_preset(scheme, preset))
        by_dataset = over.pop("dataset", {})
        _lay_over(tree, over)
        _lay_over(tree, by_dataset.get(dataset, {}))
    for key, text in (overrides or {}).items():
        _set(tree, key, text)
    for key in _ONCE:
        _share(tree, key, model, path)
    try:
        return model.model_validate(tree)
    except ValidationError as e:
        what, cure = first_problem(e, model)
        raise BenchError(f"{_blamed(key_of(e), path, overrides or {}, by_option or {})}: {what}", cure=cure) from e


def _share(tree: dict[str, Any], key: str, model: type[Strict], path: Path) -> None:
    """Give a scheme and its reference network one value of `key`, wherever it was given."""
    reference = tree.get("reference")
    if not isinstance(reference, dict) or "reference" not in model.model_fields:
        return
    if key in tree and key in reference and tree[key] != reference[key]:
        raise BenchError(
            f"recipe {path}: {key} is {tree[key]}, reference.{key} {reference[key]}, and both networks need the same",
            cure=f"give {key} alone: the reference network follows it",
        )
    value = tree.get(key, reference.get(key))
    if value is None:
        return
    reference[key] = value
    if key in model.model_fields:
        tree[key] = value
    else:
        tree.pop(key, None)  # full offloading has no other network than the reference's


def _blamed(key: str, path: Path, overrides: dict[str, str], by_option: dict[str, str]) -> str:
    """Where a wrong key came from: the option of the command line that set it (or a part of it), else the file."""
    for own, text in overrides.items():
        if key == own or key.startswith(f"{own}."):
            return f"{by_option[own]} {text}" if own in by_option else f"--set {own}={text}"
    return f"recipe {path}"


def recipe_for(model: type[R], scheme: str, options: TrainOptions, *, prefix: str = "") -> R:
    """The recipe of a training as the user asked for it; `prefix` is the section that epochs and seed belong to.

    Raises:
        BenchError: as `load_recipe`, or an unknown data set.
    """
    known = dataset_names(options.data_dir)
    if options.dataset not in known:
        raise BenchError(f"unknown data set {options.dataset!r}", cure=f"choose one of {', '.join(known)}")
    overrides = dict(options.overrides)
    by_option = {}
    for key, value in (("epochs", options.epochs), ("seed", options.seed)):
        if value is not None:
            overrides[prefix + key] = str(value)
            by_option[prefix + key] = f"--{key}"
    return load_recipe(
        model,
        scheme,
        options.dataset,
        options.profile,
        file=options.recipe,
        preset=options.preset,
        overrides=overrides,
        by_option=by_option,
    )


def preset_names(scheme: str) -> list[str]:
    """Presets shipped for a scheme."""
    return sorted(path.stem.split("-", 1)[1] for path in PRESETS.glob(f"{scheme}-*.toml"))


def _preset(scheme: str, name: str) -> Path:
    if name not in preset_names(scheme):
        known = ", ".join(preset_names(scheme)) or "none"
        raise BenchError(f"no preset {name!r} for {scheme}", cure=f"choose one of {known}")
    return PRESETS / f"{scheme}-{name}.toml"


def _read(path: Path) -> dict[str, Any]:
    return reading.toml_of(path, "check the recipe's path, or mend that line")


def _lay_over(tree: dict[str, Any], over: dict[str, Any]) -> None:
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(tree.get(key), dict):
            _lay_over(tree[key], value)
        else:
            tree[key] = value


def _shipped(scheme: str, dataset: str, profile: str) -> Path:
    for name in (f"{scheme}-{profile}-{dataset}.toml", f"{scheme}-{profile}.toml"):
        if (RECIPES / name).exists():
            return RECIPES / name
    known = sorted({path.stem.split("-")[1] for path in RECIPES.glob(f"{scheme}-*.toml")})
    raise BenchError(f"no recipe for {scheme} in profile {profile!r}", cure=f"choose one of {', '.join(known)}")


def _set(tree: dict[str, Any], key: str, text: str) -> None:
    try:
        value = reading.parsed_toml(f"value = {text}")["value"]
    except ValueError:
        value = text
    *parents, last = key.split(".")
    for parent in parents:
        tree = tree.setdefault(parent, {})
        if not isinstance(tree, dict):
            raise BenchError(f"--set {key}: {parent} is no section", cure="check the key")
    tree[last] = value


def as_tree(recipe: Strict) -> dict[str, Any]:
    """The recipe as it would be written in TOML."""
    return recipe.model_dump(mode="json", by_alias=True)


def recipe_hash(recipe: Strict, **more: str) -> str:
    """16 hex digits that change with any setting; names the folder of what was trained by it."""
    text = json.dumps({"recipe": _hashed(as_tree(recipe), ""), **more}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _hashed(tree: dict[str, Any], prefix: str) -> dict[str, Any]:
    """The tree without later keys at their old values; a section `reference` is a recipe of its own."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        if prefix + key in _LATER and value == _LATER[prefix + key]:
            continue
        if isinstance(value, dict):
            within = _hashed(value, "" if key == "reference" else f"{prefix}{key}.")
            if within or prefix + key not in _LATER:
                found[key] = within
        else:
            found[key] = _SAME.get((key, value), value) if isinstance(value, str) else value
    return found
