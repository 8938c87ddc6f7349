"""What a run adds to its network's source: its weights, its preprocessing, its classes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from striate.writing.written import WIDTH


@dataclass(frozen=True, kw_only=True)
class Trained:
    """``weights``: where the run's safetensors file lies, from the text's own folder.

    ``mean``, ``std``: per channel, of pixels from 0 to 1.  ``temperature``: 1 if not calibrated.
    """

    weights: str
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    temperature: float


def constants(trained: Trained) -> str:
    """The numbers of the run."""
    return "\n".join([
        f"WEIGHTS = Path(__file__).parent / {_quoted(trained.weights)}",
        _tuple("CLASSES", [_quoted(name) for name in trained.classes]),
        _tuple("MEAN", [repr(value) for value in trained.mean]) + "  # of pixels from 0 to 1",
        _tuple("STD", [repr(value) for value in trained.std]),
        f"TEMPERATURE = {trained.temperature!r}",
    ])  # fmt: skip


def functions(name: str) -> str:
    """How the weights are read and images prepared.  ``name``: the network's class."""
    return _FUNCTIONS.replace("NETWORK", name)


def _quoted(text: str) -> str:
    """A literal in double quotes."""
    return json.dumps(text, ensure_ascii=False)


def _tuple(name: str, values: Sequence[str]) -> str:
    comma = "," if len(values) == 1 else ""
    line = f"{name} = ({', '.join(values)}{comma})"
    if len(line) <= WIDTH:
        return line
    lines, row = [f"{name} = ("], "   "
    for value in values:
        if len(row) + len(value) + 2 > WIDTH:
            lines.append(row)
            row = "   "
        row += f" {value},"
    return "\n".join([*lines, row, ")"])


_FUNCTIONS = '''\
def load(path: str | Path = WEIGHTS) -> NETWORK:
    """The trained network, ready to use."""
    network = NETWORK()
    network.load_state_dict(read_safetensors(path))
    return network.eval()


def read_safetensors(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file: a length, a header in JSON, then plain numbers."""
    data = Path(path).read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    kinds = {"F32": torch.float32, "F64": torch.float64, "F16": torch.float16, "I64": torch.int64}
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        first, last = entry["data_offsets"]
        content = bytearray(data[start + first : start + last])
        flat = torch.frombuffer(content, dtype=kinds[entry["dtype"]]) if content else torch.empty(0)
        tensors[name] = flat.reshape(entry["shape"]).clone()
    return tensors


def prepare(pixels: Tensor) -> Tensor:
    """8-bit pixels (N, C, H, W), from 0 to 255, as the network takes them."""
    mean = torch.tensor([m / s for m, s in zip(MEAN, STD)]).view(1, -1, 1, 1)
    factor = torch.tensor([1 / (255 * s) for s in STD]).view(1, -1, 1, 1)
    return pixels.float() * factor - mean


@torch.no_grad()
def predict(network: NETWORK, pixels: Tensor) -> list[tuple[str, float]]:
    """The likeliest class of each image (N, C, H, W) of 8 bits, and its probability."""
    probabilities = torch.softmax(network(prepare(pixels)) / TEMPERATURE, dim=1)
    best = probabilities.max(dim=1)
    return [(CLASSES[int(i)], float(p)) for p, i in zip(best.values, best.indices)]
'''
