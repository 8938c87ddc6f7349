"""Images to batches.

Comes in: a DATA (a built-in name, a folder, a file) and ``DataOptions``.  Goes out: a ``Dataset``
of three splits at one size, and batches of it whose every random choice is a pure function of
(seed, epoch, sample id).  Pixels stay integers (uint8, or uint16 where the data has that depth)
until ``normalise``.  May import: torch (for loader processes and ``normalise`` alone), numpy,
Pillow, ``striate.keyed``, ``striate.errors``.

A DATA has train, val and test splits; whatever it lacks is carved from what came as train, by the
samples' content and the seed, never by their place in a list.
"""

from striate.data.augment import Augment
from striate.data.batching import Batch, batches, load_batch
from striate.data.dataset import Dataset, SourceSizes
from striate.data.describing import describe_data
from striate.data.fitting import fit_image, to_channels
from striate.data.form import decode_image, read_image, read_original
from striate.data.mixing import Mix, Mixed
from striate.data.normalising import normalise
from striate.data.opening import open_data
from striate.data.options import BadImages, DataOptions, Decoder, Fit, Pixels
from striate.data.plan import Sampling, draws_of, epoch_plan, whole_plan
from striate.data.policy import Policy
from striate.data.sources.folder import files_below
from striate.data.split import Split, Truth

__all__ = [
    "Augment",
    "BadImages",
    "Batch",
    "DataOptions",
    "Dataset",
    "Decoder",
    "Fit",
    "Mix",
    "Mixed",
    "Pixels",
    "Policy",
    "Sampling",
    "SourceSizes",
    "Split",
    "Truth",
    "batches",
    "decode_image",
    "describe_data",
    "draws_of",
    "epoch_plan",
    "files_below",
    "fit_image",
    "load_batch",
    "normalise",
    "open_data",
    "read_image",
    "read_original",
    "to_channels",
    "whole_plan",
]
