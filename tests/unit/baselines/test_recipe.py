"""Recipes and the way in to training: every mistake is one line and exit code 2, before TensorFlow is imported."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines.recipes.hashing import as_tree, recipe_hash
from baselines.recipes.loading import RECIPES, load_recipe, preset_names, recipe_for
from baselines.recipes.recipe import AgileNNRecipe, FullOffloadRecipe
from harness.commands import train
from harness.contracts import tomlout
from harness.contracts.errors import BenchError
from harness.training.options import TrainOptions

MODELS = {"agilenn": AgileNNRecipe}


def recipe(**overrides: str) -> AgileNNRecipe:
    changes = {key.replace("__", "."): value for key, value in overrides.items()}
    return load_recipe(AgileNNRecipe, "agilenn", "cifar10", "compact", overrides=changes)


def test_what_is_written_beside_the_weights_gives_the_recipe_back(tmp_path: Path) -> None:
    first = recipe(losses__rho="0.7")
    path = tmp_path / "recipe.toml"
    path.write_text(tomlout.dumps(as_tree(first)))
    assert load_recipe(AgileNNRecipe, "agilenn", "cifar10", "compact", file=path) == first
    assert recipe_hash(first) != recipe_hash(recipe())


def test_k_follows_the_split_as_the_public_code_rounds_it() -> None:
    assert [recipe(network__split=s).network.k for s in ("0.1", "0.2", "0.3")] == [2, 5, 7]


def preset(name: str, dataset: str = "cifar10", profile: str = "compact") -> AgileNNRecipe:
    return load_recipe(AgileNNRecipe, "agilenn", dataset, profile, preset=name)


def test_presets_hold_what_paper_and_public_code_say() -> None:
    paper, public = preset("paper"), preset("public")
    for r in (paper, public):  # what they share
        assert (r.epochs, r.batch, r.learning_rate, r.weight_decay, r.nesterov) == (200, 128, 0.1, 5e-4, False)
        assert (r.network.k, r.network.first, r.network.local_widths) == (5, "separable", ())
        assert (r.losses.rho, r.codebook.centroids, r.codebook.sharpness) == (0.8, 8, 1.0)
        assert (r.losses.local, r.losses.remote, r.losses.reference, r.distillation.weight) == (0, 0, 0, 0)
    assert (paper.importance.method, paper.importance.attribution, paper.importance.correct_only) == (
        "ig",
        "score",
        True,
    )
    assert 20 <= paper.importance.steps <= 100
    assert 0.2 <= paper.losses.prediction <= 0.4
    assert 4 <= paper.temperature <= 8
    assert (paper.losses.disorder, paper.preselect.method, paper.network.first_channels) == (
        "channel",
        "topk_appearance",
        24,
    )
    assert (public.codebook.start, public.codebook.deviation) == ("random", 0.05)
    assert (public.importance.method, public.importance.attribution) == ("ig2", "loss")
    assert not public.importance.correct_only
    assert (public.losses.prediction, public.temperature, public.losses.disorder) == (0.8, 1.0, "element")
    assert (public.preselect.method, public.network.first_channels, public.network.logit_norm) == ("none", 4, True)
    assert preset("paper", "cifar100").batch == 64


@pytest.mark.parametrize("profile", ["compact", "mid", "paper"])
def test_every_preset_fits_every_profile(profile: str) -> None:
    for name in preset_names("agilenn"):
        preset(name, profile=profile)
    assert preset("all_sent").network.k == 0
    with pytest.raises(BenchError, match=r"no preset 'mine'.*") as error:
        preset("mine")
    assert "public" in error.value.cure


def test_keys_that_came_later_do_not_disown_what_was_trained_before() -> None:
    """The hash of a reference network trained before they existed."""
    old = recipe(**{"reference__epochs": "18", "reference__precision": "'bfloat16'"}).reference
    assert (
        recipe_hash(old, data="90070c6b0844cc54cc10a04a7aae402ba33bc2e86ee0e083782ec4c7221b3a2e") == "bf485ece0329cbc7"
    )
    for key, value in (("patience", "3"), ("input_size", "96"), ("nesterov", "false"), ("network", "mobilenet")):
        assert recipe_hash(recipe(**{f"reference__{key}": value}).reference) != recipe_hash(old)
    assert recipe_hash(recipe(importance__second_order="false")) != recipe_hash(recipe())


def test_auto_is_the_same_recipe_as_bfloat16_and_another_than_float32() -> None:
    auto, fast, exact = (recipe(precision=f"'{name}'") for name in ("auto", "bfloat16", "float32"))
    assert recipe_hash(auto) == recipe_hash(fast) != recipe_hash(exact)


@pytest.mark.parametrize("profile", ["compact", "mid"])
def test_no_rival_has_a_larger_budget_than_agilenn(profile: str) -> None:
    budgets = {}
    for path in RECIPES.glob(f"*-{profile}.toml"):
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
        sections = [tree, tree["reference"]] if "epochs" in tree else [tree["reference"]]
        budgets[path.stem] = [section["budget_flop"] for section in sections]
    most = max(budgets[f"agilenn-{profile}"])
    assert all(0 < budget <= most for found in budgets.values() for budget in found)


def test_a_budget_is_no_part_of_what_was_trained() -> None:
    assert recipe_hash(recipe(budget_flop="1e9")) == recipe_hash(recipe())


def test_several_seeds_are_the_reference_networks_too() -> None:
    options = train.seeded(TrainOptions("cifar10", overrides={"losses.rho": "0.7"}), 3, out=Path("out"))
    found = recipe_for(AgileNNRecipe, "agilenn", options)
    assert (found.seed, found.reference.seed, found.losses.rho) == (3, 3, 0.7)
    fixed = train.seeded(TrainOptions("cifar10", overrides={"reference.seed": "0"}), 3, out=Path("out"))
    assert recipe_for(AgileNNRecipe, "agilenn", fixed).reference.seed == 0


@pytest.mark.parametrize("path", sorted(RECIPES.glob("agilenn-*.toml")), ids=lambda p: p.stem)
def test_shipped_recipes_are_valid(path: Path) -> None:
    load_recipe(AgileNNRecipe, "agilenn", "cifar10", "compact", file=path)


@pytest.mark.parametrize(
    ("key", "value"),
    [("losses.rho", "1.5"), ("losses.lambda", "-1"), ("codebook.centroids", "17"), ("no.such", "1"), ("epochs.x", "1")],
)
def test_wrong_keys_are_one_line(key: str, value: str) -> None:
    with pytest.raises(BenchError) as error:
        load_recipe(AgileNNRecipe, "agilenn", "cifar10", "compact", overrides={key: value})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "argv",
    [
        ["nope"],
        ["agilenn", "--dataset", "mnist"],
        ["agilenn", "--profile", "huge"],
        ["agilenn", "--epochs", "-1"],
        ["agilenn", "--seed", "abc"],
        ["local_only", "--set", "stem"],
        ["full_offload", "--set", "codec=zip"],
        ["agilenn", "--recipe", "/no/such/file.toml"],
        ["agilenn", "--preset", "mine"],
        ["agilenn", "--seeds", "0,x"],
        ["agilenn", "--seeds", "0,1", "--seed", "2"],
        ["agilenn", "--dataset", "svhn", "--data-dir", "/nowhere"],
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main(argv) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert message.count("\n") == 1


@pytest.mark.slow
def test_help_and_wrong_recipes_do_not_import_tensorflow() -> None:
    code = (
        "import sys; from harness.commands import train; train.main(['agilenn', '--profile', 'huge']);"
        "sys.exit(int('tensorflow' in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


Plain = st.one_of(
    st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), st.text()
)


@given(
    st.dictionaries(
        st.text(min_size=1), st.one_of(Plain, st.lists(Plain, max_size=3), st.dictionaries(st.text(min_size=1), Plain))
    )
)
def test_written_toml_reads_back(tree: dict[str, object]) -> None:
    assert tomllib.loads(tomlout.dumps(tree)) == tree


def test_the_validation_split_and_the_size_are_one_key_for_both_networks() -> None:
    for key in ("validation", "reference.validation"):
        found = load_recipe(AgileNNRecipe, "agilenn", "flowers", "compact", overrides={key: "60", "input_size": "64"})
        assert (found.validation, found.reference.validation) == (60, 60)
        assert (found.input_size, found.reference.input_size) == (64, 64)
    sent = load_recipe(FullOffloadRecipe, "full_offload", "flowers", "compact", overrides={"validation": "60"})
    assert sent.reference.validation == 60
    with pytest.raises(BenchError, match=r"validation is 60, reference\.validation 70, .*: give validation alone"):
        load_recipe(
            AgileNNRecipe, "agilenn", "flowers", "compact", overrides={"validation": "60", "reference.validation": "70"}
        )
    assert recipe().reference.validation == 5000  # as ever, where nobody says anything
