"""From a module, data and a recipe to a run.

Comes in: an ``nn.Module``, a ``Dataset``, a ``Recipe``, a ``RunFolder``.  Goes out: a record for
each step and epoch while it trains, and the kept weights.  May import: runs, building, data, arch,
records, errors, keyed; never checking, scaling, seeing, deploying or reporting.
"""

from striate.training.begin import begin_run
from striate.training.defaults import Defaults, Facts, default_recipe
from striate.training.loop import train
from striate.training.memo import Probe
from striate.training.notice import Notice
from striate.training.plan import Plan, freeze, plan, steps_per_epoch
from striate.training.probe import probe
from striate.training.recipe import (
    AugmentPart,
    Recipe,
    from_dict,
    from_toml,
    json_schema,
    load_recipe,
    to_toml,
)
from striate.training.schedule import lr_at

__all__ = [
    "AugmentPart",
    "Defaults",
    "Facts",
    "Notice",
    "Plan",
    "Probe",
    "Recipe",
    "begin_run",
    "default_recipe",
    "freeze",
    "from_dict",
    "from_toml",
    "json_schema",
    "load_recipe",
    "lr_at",
    "plan",
    "probe",
    "steps_per_epoch",
    "to_toml",
    "train",
]
