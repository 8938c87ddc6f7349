"""The memory model against the trace itself, and free memory as Linux writes it down."""

from __future__ import annotations

from pathlib import Path

import pytest

from striate.arch import Arch
from striate.arch.zoo import zoo
from striate.building import build
from striate.flow.memory import Free, StepMemory, free_memory, step_memory
from striate.tracing import trace
from striate.training import Recipe

MIB = 1 << 20


@pytest.fixture(scope="module")
def resnet20() -> Arch:
    return zoo("resnet20")


@pytest.mark.parametrize("batch", [16, 64, 128])
def test_a_step_of_any_batch(resnet20: Arch, batch: int) -> None:
    recipe = Recipe().with_({"ema": 0.9})
    model = step_memory(resnet20, (3, 32, 32), recipe)
    assert model is not None
    whole = trace(
        lambda: build(resnet20, device="meta"),
        (3, 32, 32),
        train=True,
        batch=batch,
        optimiser="momentum",
    ).totals
    assert whole.step_bytes is not None
    copies = 3 * 4 * whole.params  # the average, the best, the start
    assert 0.9999 < model.of(batch) / (whole.step_bytes + copies) < 1.02


def test_an_optimiser_with_more_state_takes_more(resnet20: Arch) -> None:
    sgd = step_memory(resnet20, (3, 32, 32), Recipe())
    adamw = step_memory(resnet20, (3, 32, 32), Recipe().with_({"optimiser": "adamw", "lr": 0.001}))
    assert sgd is not None
    assert adamw is not None
    assert adamw.each == sgd.each
    params = 4 * 269_722
    assert adamw.fixed - sgd.fixed == pytest.approx(params, rel=0.01)


@pytest.mark.parametrize(
    ("free", "fits"), [(0, 0), (100, 0), (109, 0), (110, 1), (129, 2), (180, 8), (100_000, 8192)]
)
def test_what_fits(free: int, fits: int) -> None:
    assert StepMemory(fixed=100, each=10).fits(free) == fits


def write(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


MEMINFO = "MemTotal: 8192 kB\nMemFree: 1024 kB\nMemAvailable:    4096 kB\n"


def test_what_linux_calls_available(tmp_path: Path) -> None:
    root = write(tmp_path, proc__meminfo=MEMINFO)
    assert free_memory("cpu", root=root) == Free(bytes=4 * MIB, where="of the machine's memory")


def test_a_container_that_has_less(tmp_path: Path) -> None:
    """Version 2: the limit of the group above holds too; cached files do not count."""
    group = "sys__fs__cgroup__a"
    root = write(
        tmp_path,
        proc__meminfo=MEMINFO,
        proc__self__cgroup="0::/a/b\n",
        **{
            f"{group}__memory_DOT_max": f"{3 * MIB}\n",
            f"{group}__memory_DOT_current": f"{2 * MIB}\n",
            f"{group}__memory_DOT_stat": f"anon 1\ninactive_file {MIB // 2}\n",
            f"{group}__b__memory_DOT_max": "max\n",
            f"{group}__b__memory_DOT_current": f"{MIB}\n",
        },
    )
    assert free_memory("cpu", root=root) == Free(
        bytes=MIB + MIB // 2, where="of this container's memory"
    )


def test_a_container_of_version_1_mounted_as_the_top(tmp_path: Path) -> None:
    group = "sys__fs__cgroup__memory"
    root = write(
        tmp_path,
        proc__meminfo=MEMINFO,
        proc__self__cgroup="3:cpu:/x\n2:memory:/docker/1\n",
        **{
            f"{group}__memory_DOT_limit_in_bytes": f"{3 * MIB}\n",
            f"{group}__memory_DOT_usage_in_bytes": f"{4 * MIB}\n",
        },
    )
    assert free_memory("cpu", root=root) == Free(bytes=0, where="of this container's memory")


def test_a_system_that_does_not_tell(tmp_path: Path) -> None:
    assert free_memory("cpu", root=tmp_path) is None
    assert free_memory("mps") is None


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="needs Linux's /proc")
def test_here() -> None:
    free = free_memory("cpu")
    assert free is not None
    assert MIB < free.bytes < 1 << 50
