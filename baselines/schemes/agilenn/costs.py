"""Builds the device half of a recipe untrained: what it costs depends on its shapes alone."""

from __future__ import annotations

import keras

from baselines.data import DataSet, resized
from baselines.export.quantise import to_int8
from baselines.recipes.recipe import AgileNNRecipe
from baselines.schemes.agilenn.networks import device_model, map_size

PICTURES = 64  # the converter takes its ranges from them


def untrained_graph(recipe: AgileNNRecipe, data: DataSet) -> tuple[bytes, int]:
    """Return the int8 .tflite of the device half with random weights, and the number of symbols that it sends."""
    keras.utils.set_random_seed(recipe.seed)
    height, width = map_size(recipe, data)
    graph = to_int8(device_model(recipe, data, folded=True), resized(data.x_train[:PICTURES], recipe.input_size))
    return graph, height * width * (recipe.network.channels - recipe.network.k)
