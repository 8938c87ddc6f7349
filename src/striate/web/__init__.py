"""``striate serve``: one page, and the JSON behind it.

Comes in: HTTP requests.  Goes out: answers, each of a stated shape (``/openapi.json``).
May import: flow and what is below it, FastAPI, uvicorn; never ``striate.cli``.

``app.py`` puts the routes together.  ``guard.py`` stands before them all: who may ask, from where,
how much at once.  ``lanes.py`` and ``batcher.py`` are where work is done, ``bodies.py`` reads what
is sent.  ``design.py``, ``look.py``, ``runs.py`` and ``predict.py`` hold the routes of a tab each,
``assets/`` what the browser is given.  Nothing that a request says is ever run as code, or taken
as a path: a network is a TOML text or a name of the zoo, a run is one of those that were listed.
"""
