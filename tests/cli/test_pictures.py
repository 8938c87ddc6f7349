"""Small images in a terminal: two pixels to a cell."""

from __future__ import annotations

import numpy as np
import pytest

from striate.cli.pictures import row_of_images


def cells(images: list[np.ndarray], *, columns: int = 80, indent: int = 0) -> list[list[str]]:
    """The rows of cells, each as ``upper/lower`` colour, blanks as a space."""
    rows: list[list[str]] = [[]]
    shown = row_of_images(images, scale=255, columns=columns, indent=indent)
    for segment in shown.segments:
        if segment.text == "\n":
            rows.append([])
        elif segment.style is None:
            rows[-1] += list(segment.text)
        else:
            upper, lower = segment.style.color, segment.style.bgcolor
            rows[-1].append(f"{upper and upper.triplet}/{lower and lower.triplet}")
    return rows[:-1]


def test_a_cell_is_two_pixels() -> None:
    image = np.array([[[0, 10], [20, 30], [40, 50], [60, 70]]], np.uint8)
    found = cells([image], indent=1)
    assert [len(row) for row in found] == [3, 3]  # the indent, and two cells
    triplets = [[cell.count("red=") for cell in row] for row in found]
    assert triplets == [[0, 2, 2], [0, 2, 2]]
    assert "red=0," in found[0][1]
    assert "red=20," in found[0][1]
    assert "red=50," in found[1][2]
    assert "red=70," in found[1][2]


def test_a_large_image_is_shown_by_means() -> None:
    image = np.zeros((1, 64, 64), np.uint8)
    image[:, ::2] = 200  # every other row: nearest neighbour would see stripes, or none
    (first, *_) = cells([image])
    assert len(first) == 16
    assert all("red=100," in cell for cell in first)


@pytest.mark.parametrize(("columns", "shown"), [(80, 4), (50, 3), (49, 2), (16, 1), (15, 0)])
def test_as_many_as_fit(columns: int, shown: int) -> None:
    found = cells([np.zeros((3, 32, 32), np.uint8)] * 12, columns=columns)
    assert (len(found[0]) if found else -1) == 17 * shown - 1


def test_colours_depth_and_shape() -> None:
    red = np.zeros((3, 2, 8), np.uint8)
    red[0] = 255
    ((cell, *rest),) = cells([red])
    assert "red=255, green=0, blue=0" in cell
    assert len(rest) == 7
    deep = row_of_images([np.full((1, 2, 2), 65535, np.uint16)], scale=65535, columns=80)
    assert deep.segments[1].style.color.triplet.red == 255
