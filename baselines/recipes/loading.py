"""Reads a recipe: a shipped file or the user's, a preset laid over it, single keys last."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from baselines.data import dataset_names
from baselines.training.interface import TrainOptions
from harness.contracts import reading
from harness.contracts.errors import BenchError
from harness.contracts.problems import first_problem, key_of
from harness.contracts.toml import Strict

RECIPES = Path(__file__).parent
PRESETS = RECIPES / "presets"

# Keys that a scheme and its reference network must have alike: one key sets both. Held-out pictures that the other had
# trained on would be no validation.
_ONCE = ("validation", "input_size")

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
    folder: Path = RECIPES,
) -> R:
    """Read the recipe of a scheme: `file`, else `<scheme>-<profile>[-<dataset>].toml` of `folder`.

    Args:
        preset: keys laid over the recipe, from `recipes/presets/<scheme>-<preset>.toml`; those under its section
            `dataset.<name>` for that data set only.
        overrides: dotted keys and TOML values, e.g. `{"losses.rho": "0.7"}`; a value that is no TOML is a string.
        by_option: the option by which the user gave one of them, where that is not --set.

    Raises:
        BenchError: there is no such recipe or preset, a key is unknown, or a value is out of range.
    """
    path = file if file is not None else _shipped(scheme, dataset, profile, folder)
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
    _name_profile(tree, profile)
    try:
        return model.model_validate(tree)
    except ValidationError as e:
        what, cure = first_problem(e, model)
        raise BenchError(f"{_blamed(key_of(e), path, overrides or {}, by_option or {})}: {what}", cure=cure) from e


def _name_profile(tree: dict[str, Any], profile: str) -> None:
    """Put the profile into the paths that a recipe names, so that one preset serves every profile.

    Its name goes into the recipe: what was trained is called by it.
    """
    reference = tree.get("reference")
    for section, key in ((tree, "go_on_from"), (reference, "file")):
        if isinstance(section, dict) and isinstance(section.get(key), str):
            section[key] = section[key].replace("{profile}", profile)


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
    """Return where a wrong key came from: the command line's option that set it (or a part of it), else the file."""
    for own, text in overrides.items():
        if key == own or key.startswith(f"{own}."):
            return f"{by_option[own]} {text}" if own in by_option else f"--set {own}={text}"
    return f"recipe {path}"


def recipe_for(model: type[R], scheme: str, options: TrainOptions, *, prefix: str = "", folder: Path = RECIPES) -> R:
    """Return the recipe of a training as the user asked for it.

    Args:
        prefix: the section of its epochs and seed.
        folder: where the scheme's own recipes are, named `<scheme>-<profile>.toml`, for a scheme of another package.

    Raises:
        BenchError: `load_recipe` raises it, or the data set is unknown.
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
        folder=folder,
    )


def preset_names(scheme: str) -> list[str]:
    """Return the names of the presets shipped for a scheme."""
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


def _shipped(scheme: str, dataset: str, profile: str, folder: Path) -> Path:
    for name in (f"{scheme}-{profile}-{dataset}.toml", f"{scheme}-{profile}.toml"):
        if (folder / name).exists():
            return folder / name
    known = sorted({path.stem.split("-")[1] for path in folder.glob(f"{scheme}-*.toml")})
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
