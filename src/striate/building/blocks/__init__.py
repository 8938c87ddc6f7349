"""The blocks, one per file.  Each is a plain ``nn.Module``; none imports another.

Comes in: channels, the Stage whose row it is, the network's Style, and the modules it is given
(shortcut, gate).  ``building/network.py`` puts them together.
"""
