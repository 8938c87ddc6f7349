"""One rule per file: ``CODE``, ``NAME``, ``SEVERITY``, ``find(trace)``, and a docstring that is
its documentation, its ``--explain`` text and its test (``striate.checking.docs`` says in what
sections).  ``SILENT_IF`` names the rules that take its question away.

Codes: SH shape, FL field, PA params, RE residual, NA norm and activation.

Severities.  ``error``: the network cannot run.  ``warning``: it runs, and loses a share of its
parameters, MACs, pixels or accuracy that can be named.  ``info``: true, and cheap.
"""
