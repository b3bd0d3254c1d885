"""Provides data sets of pictures: fetched once, checked, and in one canonical order whatever the source."""

from baselines.data.dataset import DataSet, Labels, canonical_order, checksum, train_validation_split
from baselines.data.registry import dataset_names, load_dataset
from baselines.data.resize import resized

__all__ = [
    "DataSet",
    "Labels",
    "canonical_order",
    "checksum",
    "dataset_names",
    "load_dataset",
    "resized",
    "train_validation_split",
]
