"""What would make a class likeliest, beside the image that is.

Comes in: Evidence ``peaks``.  Goes out: a section.
"""

from __future__ import annotations

from striate.records import Evidence
from striate.reporting.evidence import shown
from striate.reporting.html import Html, el
from striate.reporting.pictures import Photos, of_data, photo, picture
from striate.reporting.wording import count, counted, number

TILE = 104


def peaks_section(piece: Evidence, photos: Photos) -> Html:
    """For each class the picture that was made and the image that was found."""
    facts, arrays = piece.facts, piece.arrays

    def one(at: int, name: str) -> Html:
        made, found = (number(float(arrays[key][at])) for key in ("made_logits", "found_logits"))
        return el(
            "div.control",
            picture(
                photo(arrays["made"][at], photos.pixel_range),
                f"made for {name}, logit {made}",
                width=TILE,
            ),
            el("p.small", f"made: {made}"),
            of_data(
                photo(arrays["found"][at], photos.pixel_range),
                photos,
                f"image {facts['indices'][at]}, the greatest of {name}, logit {found}",
                width=TILE,
            ),
            el("p", name),
            el("p.small", f"found: {found}; noise: {float(arrays['noise_logits'][at]):.3g}"),
        )

    def draw() -> Html:
        return el("div.controls", *(one(at, name) for at, name in enumerate(facts["classes"])))

    left_out, not_tried = int(facts["left_out"]), int(facts.get("not_tried", 0))
    caption = (
        f"Above: {facts['steps']} steps uphill on the class's logit from the mean colour, within "
        "the values that pixels have, rounded to them and measured again. Below: the image of the "
        f"{facts['split']} split, of {count(int(facts['images']))}, with the greatest. What lies "
        "above the natural peak is what the network would accept, not what it has seen."
        + (
            f" {counted(left_out, 'class is', 'classes are')} left out, of which a real image does "
            "better."
            if left_out
            else ""
        )
        + (f" {counted(not_tried, 'class was', 'classes were')} not tried." if not_tried else "")
    )
    return shown(piece, draw, caption)
