"""One architecture, larger and smaller: families, and the member that meets a budget.

Comes in: an Arch, a rule, budgets, and a function that says what an Arch costs.  Goes out: Archs.
Nothing is built here and nothing is traced: whoever asks brings the function.  May import: arch,
records, errors; never torch.
"""

from striate.scaling.budgets import UNITS, Budget, named_budgets, parse_budgets
from striate.scaling.cluster import KINDS, Kind, Network, Step, Work, step_on
from striate.scaling.family import Member, member, published, sides
from striate.scaling.growth import RULES, TAN_AND_LE, Growth, growth
from striate.scaling.solve import LEAST, MOST, Measure, Solution, largest, same

__all__ = [
    "KINDS",
    "LEAST",
    "MOST",
    "RULES",
    "TAN_AND_LE",
    "UNITS",
    "Budget",
    "Growth",
    "Kind",
    "Measure",
    "Member",
    "Network",
    "Solution",
    "Step",
    "Work",
    "growth",
    "largest",
    "member",
    "named_budgets",
    "parse_budgets",
    "published",
    "same",
    "sides",
    "step_on",
]
