"""Data sets larger than a machine: chunks of images, local or remote, read in striate's own order.

The chunks are litdata's (``train/index.json`` and its chunk files, which ``litdata`` itself can
stream); beside them lie ``striate.json``, what ``open_data`` would have found out, and arrays of
ids, labels and places.  litdata writes the chunks and fetches remote ones; which image comes when
is the plan's choice (``order.py``), and images are read by their place in a chunk.
"""
