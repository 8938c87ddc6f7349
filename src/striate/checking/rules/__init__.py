"""One rule per file: ``CODE``, ``NAME``, ``SEVERITY``, ``find(trace)``, and a docstring that is
its documentation, its ``--explain`` text and its test (``striate.checking.docs`` says in what
sections).  ``SILENT_IF`` names the rules that take its question away.  ``OPT_IN = True``: an
opinion on style, which runs only where it is selected by its code or name.  ``ASKS`` names what it
needs besides the trace (fields of ``Given``; none, where it can do without); it then has
``find(trace, given)``.

Codes: SH shape, FL field, PA params, RE residual, NA norm and activation, CO cost, AF after
training.

Severities.  ``error``: the network cannot run.  ``warning``: it runs, and loses a share of its
parameters, MACs, pixels or accuracy that can be named.  ``info``: true, and cheap.
"""
