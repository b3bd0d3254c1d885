"""Hashes a recipe, to call it by: the hash changes with whatever changes a training, and with nothing else."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from harness.contracts.toml import Strict

_NOT_TRAINED = {"budget_flop"}  # it judges a training and changes none

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
    "clip_norm": 0.0,  # the reference network's; AgileNN's own default is another, and so is in every hash
    "pretrained": "none",
    "normalisation": "batch",
    "frozen": "nothing",
    "network": "residual",  # the reference network's
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
    "go_on_from": "",
    "distillation.once": False,
    "finish_learning_rate": 0.0,
    "adapt": {},
    "adapt.epochs": 0,
    "adapt.qualities": [50, 65, 80, 90],
    "adapt.clean": True,
    "adapt.learning_rate": 2e-4,
    "adapt.weight_decay": 0.01,
    "adapt.distillation": {},
    "adapt.distillation.weight": 0.5,
    "adapt.distillation.temperature": 4.0,
    "classifier": "frozen",  # DeepCOD's
    "labels_weight": 0.0,
    "rate": {},  # all keys of it at their old values
    "rate.per_byte": 0.0,
    "rate.every": 40,
    "rate.pictures": 512,
    "codebook.quantise": True,
}


def as_tree(recipe: Strict) -> dict[str, Any]:
    """Return the recipe as it would be written in TOML."""
    return recipe.model_dump(mode="json", by_alias=True)


def recipe_hash(recipe: Strict, **more: str) -> str:
    """Return 16 hex digits that change with any setting; they name the folder of what was trained by the recipe."""
    text = json.dumps({"recipe": _hashed(as_tree(recipe), ""), **more}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _hashed(tree: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Return the tree without later keys at their old values; a section `reference` is a recipe of its own."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        if key in _NOT_TRAINED:
            continue
        if prefix + key in _LATER and value == _LATER[prefix + key]:
            continue
        if isinstance(value, dict):
            within = _hashed(value, "" if key == "reference" else f"{prefix}{key}.")
            if within or prefix + key not in _LATER:
                found[key] = within
        else:
            found[key] = _SAME.get((key, value), value) if isinstance(value, str) else value
    return found
