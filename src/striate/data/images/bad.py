"""The small fact that an image cannot be used.

Whoever knows the image's place makes an ImageError of it.
"""

from __future__ import annotations


class BadImage(Exception):
    """Why, as the end of a sentence that begins with the file ("is truncated")."""
