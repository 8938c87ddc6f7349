"""Weights that other libraries wrote, in networks of ours.

Comes in: an Arch and a ``state_dict`` of timm, torchvision or striate.  Goes out: the same tensors
under our names, and how they were fitted to another number of channels or classes.  One library's
names per file.
"""

from striate.building.weights.fitting import Fitted, Part, fit_weights, resize_filters
from striate.building.weights.names import LIBRARIES, convert, layout_of, names

__all__ = [
    "LIBRARIES",
    "Fitted",
    "Part",
    "convert",
    "fit_weights",
    "layout_of",
    "names",
    "resize_filters",
]
