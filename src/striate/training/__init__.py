"""From a module, data and a recipe to a run.

Comes in: an ``nn.Module``, a ``Dataset``, a ``Recipe``, a ``RunFolder``.  Goes out: a record for
each step and epoch while it trains, and the kept weights.  May import: runs, building, data, arch,
records, errors, keyed; never checking, scaling, seeing, deploying or reporting.
"""

from striate.training.begin import begin_run
from striate.training.compiling import compiled_share, compiled_sizes
from striate.training.defaults import Defaults, Facts, default_recipe
from striate.training.finetuning import Phases, first_steps, scales
from striate.training.joining import all_ready, announce, announced, joined, started_together
from striate.training.layers import Layers, layers_of
from striate.training.loop import train
from striate.training.memo import Probe
from striate.training.named import named_recipe, recipe_names
from striate.training.notice import Notice
from striate.training.optimiser import silent_norm
from striate.training.plan import Plan, freeze, plan, steps_per_epoch
from striate.training.probe import MARGIN, probe
from striate.training.probe_compiled import probe_compiled
from striate.training.processes import Processes, lost_processes
from striate.training.recipe import (
    TABLES,
    AugmentPart,
    FinetunePart,
    Recipe,
    from_dict,
    from_toml,
    json_schema,
    load_recipe,
    to_toml,
)
from striate.training.resizing import mean_speed, small_problem, small_side
from striate.training.schedule import lr_at
from striate.training.whitening import whitening_problem

__all__ = [
    "MARGIN",
    "TABLES",
    "AugmentPart",
    "Defaults",
    "Facts",
    "FinetunePart",
    "Layers",
    "Notice",
    "Phases",
    "Plan",
    "Probe",
    "Processes",
    "Recipe",
    "all_ready",
    "announce",
    "announced",
    "begin_run",
    "compiled_share",
    "compiled_sizes",
    "default_recipe",
    "first_steps",
    "freeze",
    "from_dict",
    "from_toml",
    "joined",
    "json_schema",
    "layers_of",
    "load_recipe",
    "lost_processes",
    "lr_at",
    "mean_speed",
    "named_recipe",
    "plan",
    "probe",
    "probe_compiled",
    "recipe_names",
    "scales",
    "silent_norm",
    "small_problem",
    "small_side",
    "started_together",
    "steps_per_epoch",
    "to_toml",
    "train",
    "whitening_problem",
]
