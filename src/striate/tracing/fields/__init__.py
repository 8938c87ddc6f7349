"""The receptive field as an affine interval on every dimension of every tensor.

Comes in: a ``Reach`` for each tensor an operation took, and the operation's numbers.
Goes out: the ``Reach`` of its output, and from that a ``records.Field``.
May import: numpy and ``striate.records``; no torch, so that the algebra can be read and tested
on its own.

``reach.py`` is the value and says what it means, ``lines.py`` how a factor moves an interval.
``windows.py``, ``convs.py`` and ``resample.py`` have what slides, ``splitting.py`` and ``moves.py``
what rearranges, ``contracting.py`` and ``joins.py`` what sums and joins, ``unions.py`` and
``gates.py`` where branches meet; ``report.py`` is the way out.
"""
