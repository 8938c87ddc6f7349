"""What every image of a data set is brought to: channels, depth, size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from striate.data.fitting import fit_image, to_channels
from striate.data.images.bad import BadImage
from striate.data.images.decode import JpegDecoder, choose_decoder, decode
from striate.data.options import Decoder, Fit, Pixels
from striate.errors import ImageError

MEND = "mend or remove it, or leave bad images out (--bad-images skip)"


@dataclass(frozen=True, kw_only=True)
class Form:
    """``deep``: pixels are uint16, and 8-bit ones are multiplied by 257, so that both are exact."""

    image: tuple[int, int, int]
    deep: bool
    fit: Fit
    decoder: JpegDecoder

    @property
    def scale(self) -> float:
        """What a pixel is divided by to be in 0…1."""
        return 65535.0 if self.deep else 255.0

    @property
    def dtype(self) -> np.dtype[np.uint8 | np.uint16]:
        """The type of its pixels."""
        return np.dtype(np.uint16) if self.deep else np.dtype(np.uint8)

    def original(self, data: bytes) -> Pixels:
        """(C, h, w) at its own size; BadImage where it cannot be decoded."""
        return self.converted(decode(data, self.decoder))

    def converted(self, decoded: Pixels) -> Pixels:
        """What ``decode`` gave, in this form's channels and depth, at its own size."""
        pixels = to_channels(decoded, self.image[0])
        if self.deep and pixels.dtype == np.uint8:
            return pixels.astype(np.uint16) * np.uint16(257)
        return pixels

    def apply(self, data: bytes) -> Pixels:
        """(C, H, W) at the data set's size."""
        return self.fitted(self.original(data))

    def fitted(self, original: Pixels) -> Pixels:
        """What ``original`` gave, at the data set's size."""
        return fit_image(original, self.image[1:], self.fit)


def read_image(
    path: Path, *, image: tuple[int, int, int], fit: Fit, decoder: Decoder = "auto"
) -> tuple[Pixels, float]:
    """One image file as a network for ``image`` (C, H, W) takes it, and its own scale.

    Returns pixels (C, H, W), uint8 or uint16 as the file is deep, and what ``normalise`` must
    divide them by (255 or 65535), whatever the scale of the data the network was trained on.
    Raises ImageError with the path and the reason.
    """
    return _brought(read_original(path, decoder=decoder), image, fit)


def decode_image(
    data: bytes,
    *,
    where: str,
    image: tuple[int, int, int],
    fit: Fit,
    decoder: Decoder = "auto",
) -> tuple[Pixels, float]:
    """``read_image`` of a file's content; ImageError names it ``where``."""
    return _brought(_decoded(data, where, decoder), image, fit)


def read_original(path: Path, *, decoder: Decoder = "auto") -> Pixels:
    """One image file's own pixels (C, h, w), upright, by the rules of ``striate.data.images``.

    C is 1 or 3, the type uint8 or uint16.  Raises ImageError with the path and the reason.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path} cannot be read ({error.strerror}); check the path") from error
    return _decoded(data, str(path), decoder)


def _decoded(data: bytes, where: str, decoder: Decoder) -> Pixels:
    try:
        return decode(data, choose_decoder(decoder))
    except BadImage as bad:
        raise ImageError(f"{where} {bad}; give another image") from bad


def _brought(original: Pixels, image: tuple[int, int, int], fit: Fit) -> tuple[Pixels, float]:
    # A new array, in one piece: an image of the right size comes through fit_image as it is.
    pixels = np.array(fit_image(to_channels(original, image[0]), image[1:], fit), order="C")
    return pixels, float(np.iinfo(pixels.dtype).max)
