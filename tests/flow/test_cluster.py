"""From TARGET and what is known of the devices to steps; and what cannot be read."""

from __future__ import annotations

import pytest

from striate.errors import InputError
from striate.flow.cluster import ClusterOptions, cluster, parse_bandwidth, parse_devices


def test_resnet50_as_published() -> None:
    found = cluster("resnet50", ClusterOptions(speed=400, bandwidth="25GB/s", devices="1:4"))
    # He et al. 2016: 25.56 M parameters, a gradient of 4 bytes each; 53 convolutions with norms.
    assert found.gradient_bytes == 4 * 25_557_032
    assert len(found.work.norms) == 53
    assert sum(found.work.norms) == 26_560  # channels in all: half of 53,120 scales and shifts
    assert [step.devices for step in found.steps] == [1, 2, 4]
    first, second, _ = found.steps
    assert first.images_per_second == pytest.approx(400)
    assert 400 < second.images_per_second < 800
    # The image has no gradient: the first convolution's backward is half of the others'.
    assert 0.65 < found.work.backward_share < 2 / 3


def test_local_norms_send_less() -> None:
    options = {"speed": 400, "bandwidth": "1GB/s", "devices": "8"}
    reduced = cluster("resnet20", ClusterOptions(**options))
    local = cluster("resnet20", ClusterOptions(**options, reduced=False))
    assert local.steps[0].messages < reduced.steps[0].messages
    assert local.gradient_bytes == reduced.gradient_bytes


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"bandwidth": "fast"}, r"--bandwidth fast: not a bandwidth; write 25GB/s, or 100Gbit/s"),
        ({"bandwidth": "10Gb/s"}, r"--bandwidth 10Gb/s: not a bandwidth"),  # bits or bytes?
        ({"latency": "10"}, r"--latency 10: not a time; write 10us"),
        ({"devices": "8:2"}, r"--devices 8:2: ends before it begins"),
        ({"devices": "0:2"}, r"--devices 0:2: from 1 to 1,048,576"),
        ({"devices": "many"}, r"--devices many: not numbers of devices"),
        ({"kind": "star"}, r"--sum star: no way of summing; choose from ring, halving"),
    ],
)
def test_what_cannot_be_read(changes: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        cluster("resnet20", ClusterOptions(**{"speed": 1, "bandwidth": "1GB/s", **changes}))


def test_units() -> None:
    assert parse_bandwidth("100Gbit/s") == 12.5e9
    assert parse_bandwidth("1.5GiB/s") == 1.5 * 2**30
    assert parse_devices("3:20") == (3, 6, 12)
