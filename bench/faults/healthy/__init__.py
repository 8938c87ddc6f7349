"""Healthy networks, written as people write theirs; each file has ``network()`` and ``IMAGE``."""
