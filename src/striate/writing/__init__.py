"""An Arch as plain PyTorch source: what a person would write, without a trace of striate.

Comes in: an Arch.  Goes out: the text of a Python module that needs torch alone, whose class has
the state-dict names of the network that ``striate.building`` makes, and gives the same logits to
the last bit.  Nothing is written that the network does not use.  May import: arch, records, errors.
"""

from striate.writing.network import class_name, write_code
from striate.writing.run_part import Trained

__all__ = ["Trained", "class_name", "write_code"]
