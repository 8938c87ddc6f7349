"""What a network is: pure data, no torch.

Comes in: TOML, plain dictionaries, names of the zoo.  Goes out: ``Arch``, a frozen value, and
functions from Arch to Arch.  May import: records, errors, pydantic; never torch.
"""

from striate.arch.agreement import channels
from striate.arch.keys import NETWORK_KEYS, STAGE_KEYS, is_key, key_problem, known_keys
from striate.arch.rounding import round_channels, round_depth, scaled
from striate.arch.sizes import field_sizes, least_image, map_sizes, windows
from striate.arch.spec import Arch, Head, Pool, Stage, Stem
from striate.arch.text import from_dict, from_toml, json_schema, load_arch, to_dict, to_toml
from striate.arch.variants import adapt, plain_twin, residual_twin, shortened, small_form
from striate.arch.zoo import SMALL, ZooCost, zoo, zoo_costs, zoo_names

__all__ = [
    "NETWORK_KEYS",
    "SMALL",
    "STAGE_KEYS",
    "Arch",
    "Head",
    "Pool",
    "Stage",
    "Stem",
    "ZooCost",
    "adapt",
    "channels",
    "field_sizes",
    "from_dict",
    "from_toml",
    "is_key",
    "json_schema",
    "key_problem",
    "known_keys",
    "least_image",
    "load_arch",
    "map_sizes",
    "plain_twin",
    "residual_twin",
    "round_channels",
    "round_depth",
    "scaled",
    "shortened",
    "small_form",
    "to_dict",
    "to_toml",
    "windows",
    "zoo",
    "zoo_costs",
    "zoo_names",
]
