"""Recipes and the way in to training: every mistake is one line and exit code 2, before TensorFlow is imported."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines import tomlout
from baselines.recipe import RECIPES, AgileNNRecipe, as_tree, load_recipe, recipe_hash
from harness import train
from harness.contracts.errors import BenchError

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
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main(argv) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert message.count("\n") == 1


def test_help_and_wrong_recipes_do_not_import_tensorflow() -> None:
    code = (
        "import sys; from harness import train; train.main(['agilenn', '--profile', 'huge']);"
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
