"""The page's one script: Vega from vl-convert, and twenty lines that draw each chart.

Comes in: specifications by name.  Goes out: inline elements, and the digests that the page's
content security policy allows.  Vega's expressions run in its interpreter, so that the policy
needs no ``unsafe-eval``.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from pathlib import Path

import altair as alt
import vl_convert

from striate.reporting.charts import Spec
from striate.reporting.html import Html, el

ASSETS = Path(__file__).parent / "assets"


@cache
def bundle(name: str = "page.js") -> str:
    """Vega, Vega-Lite and Vega-Embed (0.9 MB), and the script ``name`` that uses them."""
    # Altair writes for one version of Vega-Lite; a bundle of another is made only where vl-convert
    # does not carry that one.
    wanted = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])
    carried = vl_convert.get_vegalite_versions()
    version = wanted if wanted in carried else carried[-1]
    snippet = (ASSETS / name).read_text()
    return vl_convert.javascript_bundle(snippet, vl_version=version).replace(
        "</script", "<\\/script"
    )


def script(name: str = "page.js") -> tuple[Html, str]:
    """The ``<script>`` element, and its digest for the policy."""
    code = bundle(name)
    return Html(f"<script>{code}</script>"), digest(code)


def digest(text: str) -> str:
    """A source expression of CSP: ``'sha256-…'``."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def chart(name: str, spec: Spec, label: str) -> Html:
    """The place of one chart, with its specification beside it."""
    # In a script element nothing is escaped, so that "<" must not stand there at all.
    written = json.dumps(spec, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    return Html(
        el("div.chart", attrs={"id": name, "role": "img", "aria-label": label})
        + f'<script type="application/json" data-chart="{name}">{written}</script>'
    )
