"""Where images come from: one kind of place per file, each turned into a ``Listing``.

Comes in: a path or a name.  Goes out: a ``Listing``.  May import: ``striate.data.options``,
``strings``, ``split`` (for truths) and below; sources never import each other.
"""
