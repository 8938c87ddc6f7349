"""Faults people make in convolutional networks, and healthy networks to plant them in.

``kinds`` is the list, drawn from public issue threads; ``healthy`` the networks; ``plants`` puts
the one into the other.  ``bench/mutants.py`` runs them.
"""
