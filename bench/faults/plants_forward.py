"""Faults planted in ``forward``: what is called, on what, and in which order."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from faults.hosts import Host
from faults.program import Mutant, Program

OPS = ("relu", "silu", "gelu", "leaky_relu", "hardtanh", "relu6")


def plants(host: Host) -> Iterator[Mutant]:
    """Every fault of this file in one healthy network."""
    for plant in (
        _activation_lost,
        _softmax_inside,
        _activation_twice,
        _ends,
        _cut,
        _result_ignored,
        _norm_after_activation,
        _dropout_before_norm,
        _never_used,
        _frozen,
    ):
        yield from plant(host)


def _activation_lost(host: Host) -> Iterator[Mutant]:
    program = host.program
    for call in program.activations():
        inner = call.args[0]
        those = [one for one in host.called_at(call.lineno) if one.op in OPS]
        if not those or not all(host.alone_between(one) for one in those):
            continue
        text = _without_idle_lines(program.replaced(call, program.source(inner)))
        dense = "fc" in program.source(inner) or "up(" in program.source(inner)
        kind = "no-dense-activation" if dense else "no-activation"
        yield program.mutant(kind, f"line {call.lineno}", text)
    for call in program.calls("ReLU", "ReLU6", "SiLU", "GELU", "LeakyReLU"):
        line = program.text.splitlines(keepends=True)[call.lineno - 1]
        if line.strip() != f"{program.source(call)},":
            continue
        those = host.defined_at(call.lineno)
        if not those or not all(host.alone_between(one) for one in those):
            continue
        lines = program.text.splitlines(keepends=True)
        text = "".join(lines[: call.lineno - 1] + lines[call.lineno :])
        dense = "nn.Linear" in lines[call.lineno - 2]
        kind = "no-dense-activation" if dense else "no-activation"
        yield program.mutant(kind, f"line {call.lineno} taken away", text)


def _without_idle_lines(text: str) -> str:
    """Without lines that assign a name to itself."""
    return re.sub(r"^ *(\w+) = \1\n", "", text, flags=re.MULTILINE)


def _around(program: Program, inner: ast.expr) -> str:
    said = program.source(inner)
    if not isinstance(inner, ast.Call):
        return "nothing"
    if any(word in said for word in ("bn", "norm", "self.bn")):
        return "norm"
    if "fc" in said or "up(" in said:
        return "linear"
    return "conv" if "conv" in said or "down(" in said else "nothing"


def _softmax_inside(host: Host) -> Iterator[Mutant]:
    program = host.program
    if "import torch\n" not in program.text:
        return
    for call in program.activations():
        if _around(program, call.args[0]) in ("norm", "conv"):
            inner = program.source(call.args[0])
            text = program.replaced(call, f"torch.softmax({inner}, dim=1)")
            yield program.mutant("softmax-inside", f"line {call.lineno}", text)


def _activation_twice(host: Host) -> Iterator[Mutant]:
    program = host.program
    if "import torch\n" not in program.text:
        return
    for call in program.activations():
        if "relu" in ast.unparse(call.func) and _around(program, call.args[0]) != "nothing":
            inner = program.source(call.args[0])
            name = ast.unparse(call.func)
            text = program.replaced(call, f"{name}(torch.sigmoid({inner}))")
            yield program.mutant("activation-twice", f"line {call.lineno}", text)


def _returned(program: Program) -> tuple[ast.expr, str] | None:
    """The last expression of the network's own ``forward``, where it is a dense layer's."""
    last = [node for node in ast.walk(program.tree) if isinstance(node, ast.ClassDef)]
    if not last:
        return None
    for node in ast.walk(last[-1]):
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Call):
            said = program.source(node.value)
            if any(word in said for word in ("fc", "classifier", "head(")):
                return node.value, said
    return None


def _ends(host: Host) -> Iterator[Mutant]:
    """What is put on the class scores."""
    program = host.program
    ends = {
        "softmax-at-end": ("torch.softmax({}, dim=1)", "torch.nn.functional.softmax({}, dim=-1)"),
        "softmax-over-batch": ("torch.softmax({}, dim=0)",),
        "sigmoid-at-end": ("torch.sigmoid({})",),
        "activation-on-logits": ("torch.relu({})", "torch.nn.functional.leaky_relu({}, 0.0)"),
    }
    returned = _returned(program)
    if returned is not None and "aspp" not in program.name:
        node, said = returned
        for kind, ways in ends.items():
            for way in ways[:1] if kind == "activation-on-logits" else ways:
                text = program.replaced(node, way.format(said))
                yield program.mutant(kind, way.format("…"), text)
    layers = {
        "softmax-at-end": "nn.Softmax(dim=1)",
        "softmax-over-batch": "nn.Softmax(dim=0)",
        "sigmoid-at-end": "nn.Sigmoid()",
        "activation-on-logits": "nn.ReLU()",
        "norm-on-logits": "nn.BatchNorm1d({})",
    }
    for call in program.calls("Linear"):
        width = program.argument(call, "out_features") or ""
        if width in ("classes", "10"):
            said = program.source(call)
            for kind, layer in layers.items():
                text = program.replaced(call, f"nn.Sequential({said}, {layer.format(width)})")
                yield program.mutant(kind, layer, text)


def _statements(program: Program) -> Iterator[tuple[ast.Assign, str]]:
    """``x = …`` in a ``forward``, with what is called."""
    for function in ast.walk(program.tree):
        if isinstance(function, ast.FunctionDef) and function.name == "forward":
            for node in function.body:
                if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
                    yield node, program.source(node.value)


def _network(program: Program) -> ast.FunctionDef:
    """The ``forward`` of the network itself, which is the file's last class."""
    classes = [node for node in ast.walk(program.tree) if isinstance(node, ast.ClassDef)]
    return next(
        node
        for node in classes[-1].body
        if isinstance(node, ast.FunctionDef) and node.name == "forward"
    )


def _cut(host: Host) -> Iterator[Mutant]:
    program = host.program
    if "class " not in program.text:
        return
    for node in _network(program).body[1:-1]:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            said = program.source(node.value)
            if not said.startswith(("self.", "F.relu")):
                continue
            text = program.replaced(node.value, f"{said}.detach()")
            where = f"line {node.lineno}, detached"
            yield program.mutant("gradient-cut", where, text, before=True)
            lines = program.text.splitlines()
            lines[node.lineno - 1 : node.lineno] = [
                "        with torch.no_grad():",
                f"    {lines[node.lineno - 1]}",
            ]
            where = f"line {node.lineno}, without gradients"
            text = "\n".join(lines) + "\n"
            yield program.mutant("gradient-cut", where, text, before=True)


def _result_ignored(host: Host) -> Iterator[Mutant]:
    """The next layer is given what this one was given; maps agree, so nothing fails."""
    program = host.program
    for node, said in _statements(program):
        target = ast.unparse(node.targets[0])
        call = node.value
        assert isinstance(call, ast.Call)
        given = _deepest(call)
        if given != target or not said.startswith(("self.", "F.")):
            continue
        if any(word in said for word in ("pool", "flatten", "drop", "mix", "size")):
            continue
        if said == f"self.relu({target})" and "self.relu = nn.ReLU(inplace=True)" in program.text:
            continue  # in place: nothing is lost
        text = program.replaced(node.targets[0], "unread")  # pyright: ignore[reportArgumentType]  # a node has lines
        yield program.mutant("result-ignored", f"line {node.lineno}: {said}", text)


def _deepest(call: ast.Call) -> str:
    inner: ast.expr = call
    while isinstance(inner, ast.Call) and inner.args:
        inner = inner.args[0]
    return ast.unparse(inner)


def _norm_after_activation(host: Host) -> Iterator[Mutant]:
    """One place of several has the norm behind the activation."""
    program = host.program
    several = list(program.activations())
    if len(several) < 3:
        return
    for call in several:
        inner = call.args[0]
        if isinstance(inner, ast.Call) and inner.args and _is_norm(ast.unparse(inner.func)):
            activation, norm = ast.unparse(call.func), ast.unparse(inner.func)
            given = program.source(inner.args[0])
            if not isinstance(inner.args[0], ast.Call) or not _few(host, call.lineno):
                continue
            text = program.replaced(call, f"{norm}({activation}({given}))")
            yield program.mutant("norm-after-activation", f"line {call.lineno}", text)


def _few(host: Host, line: int) -> bool:
    """Whether the activations called at a line are few among those behind norms."""
    behind = [
        layer
        for layer in host.trace
        if layer.op in OPS and "norm" in host.trace.layers[layer.inputs[0]].op
    ]
    here = [layer for layer in host.called_at(line) if layer in behind]
    return 0 < 3 * len(here) <= len(behind)


def _is_norm(name: str) -> bool:
    return "bn" in name or "norm" in name


def _dropout_before_norm(host: Host) -> Iterator[Mutant]:
    program = host.program
    for call in program.calls("BatchNorm2d"):
        lines = program.text.splitlines(keepends=True)
        line = lines[call.lineno - 1]
        if line.strip() == f"{program.source(call)},":
            indent = line[: len(line) - len(line.lstrip())]
            lines.insert(call.lineno - 1, f"{indent}nn.Dropout(0.3),\n")
            where = f"line {call.lineno}"
            yield program.mutant("dropout-before-norm", where, "".join(lines))
        elif line.lstrip().startswith("self."):
            text = program.replaced(call, f"nn.Sequential(nn.Dropout(0.3), {program.source(call)})")
            yield program.mutant("dropout-before-norm", f"line {call.lineno}", text)


def _never_used(host: Host) -> Iterator[Mutant]:
    """A layer's line twice, under a second name."""
    program = host.program
    lines = program.text.splitlines(keepends=True)
    for call in program.calls("Conv2d", "Linear", "BatchNorm2d", "GroupNorm", "ConvTranspose2d"):
        line = lines[call.lineno - 1]
        name, _, rest = line.strip().partition(" = ")
        if not name.startswith("self.") or rest != program.source(call):
            continue
        indent = line[: len(line) - len(line.lstrip())]
        extra = f"{indent}{name}_extra = {rest}\n"
        text = "".join([*lines[: call.lineno], extra, *lines[call.lineno :]])
        yield program.mutant("never-used", f"{name}_extra", text)


def _frozen(host: Host) -> Iterator[Mutant]:
    """A part of the network is frozen where it is made."""
    program = host.program
    classes = [node for node in ast.walk(program.tree) if isinstance(node, ast.ClassDef)]
    if not classes:
        return
    parts = [
        ast.unparse(node.targets[0])
        for function in classes[-1].body
        if isinstance(function, ast.FunctionDef) and function.name == "__init__"
        for node in function.body
        if isinstance(node, ast.Assign) and "self." in ast.unparse(node.targets[0])
    ]
    made = program.text.rstrip().rpartition("    return ")[2]
    for part in parts:
        path = part.removeprefix("self.")
        if not any(layer.params for layer in host.trace if _under(layer.path, path)):
            continue
        text = program.text.rstrip().rpartition("    return ")[0] + (
            f"    model = {made}\n"
            f"    for parameter in model.{path}.parameters():\n"
            "        parameter.requires_grad = False\n"
            "    return model\n"
        )
        yield program.mutant("frozen", path, text, paths=(path,))


def _under(path: str, other: str) -> bool:
    return path == other or path.startswith(f"{other}.")
