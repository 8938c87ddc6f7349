"""What any PyTorch module does to an image, found without computing anything.

Comes in: a ``torch.nn.Module`` (or a function that makes one) and an image's shape.
Goes out: a ``records.Trace``: each operation with its shape, source line, parameters,
multiply-accumulates, bytes and receptive field.
May import: torch, numpy, ``striate.records``, ``striate.errors``.

``run.py`` is the whole procedure, ``listening.py`` one forward of it; ``prepare.py`` makes the
module safe to run, ``inputs.py`` what it is called with; ``recorder.py`` listens to the dispatcher,
``places.py`` knows where in the program it is, ``ops/`` says what each operation does, ``fields/``
is the algebra of receptive fields, ``costs.py`` and ``backward.py`` count, ``memory.py``,
``traffic.py`` and ``step.py`` weigh, ``failure.py`` explains.
"""

from striate.tracing.run import trace

__all__ = ["trace"]
