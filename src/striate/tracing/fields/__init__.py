"""The receptive field as an affine interval on every dimension of every tensor.

Comes in: a ``Reach`` for each tensor an operation took, and the operation's numbers.
Goes out: the ``Reach`` of its output, and from that a ``records.Field``.
May import: numpy and ``striate.records``; no torch, so that the algebra can be read and tested
on its own.

``reach.py`` is the value and says what it means; ``windows.py`` has what slides (convolution,
pooling, padding), ``moves.py`` what rearranges (reshape, permute, slice, concatenate),
``joins.py`` where branches meet, ``resample.py`` what changes the grid, ``report.py`` the way out.
"""
