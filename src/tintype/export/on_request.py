"""How a graph leaves out what is not wanted: parts of it move into branches that are not taken.

ONNX Runtime computes all that leads to any output, whichever are asked for. So the nodes that lead
to nothing but an extra go into an ``If``:

- ``confidence`` is computed unless the optional input ``confidence_wanted`` is false;
- ``variation``, where the optional input ``lean`` (2,) is not zero, and ``correction``, where a
  ``hint_mask`` is not empty, are added to ab.

Optional inputs are initialisers that may be overridden, so that graphs are still run with L alone.
"""

from __future__ import annotations

import onnx
from onnx import helper

from tintype.runtime import CONFIDENCE_WANTED, LEAN

_BOOL, _REAL = onnx.TensorProto.BOOL, onnx.TensorProto.FLOAT

_ADDED = ("variation", "correction")
"""What is added to ab, in this order: a correction depends on the variation."""

_UNWANTED = {"variation": [1, 1, 1, 1], "correction": [1, 1, 1, 1], "confidence": [0, 1, 1, 1]}
"""The shapes of the zeros that stand for what is not wanted."""


def compute_on_request(graph: onnx.ModelProto) -> None:
    """Make a graph whose outputs are parts of a ``Reading`` one that keeps the contract.

    Args:
        graph: with the output ``ab`` and any of the three extras; changed in place.
    """
    main = graph.graph
    extras = [name for name in _UNWANTED if name in {output.name for output in main.output}]
    if not extras:
        return
    own = _own_nodes(main, ["ab", *extras])
    moved = {number for numbers in own.values() for number in numbers}
    nodes = list(main.node)
    kept = [node for number, node in enumerate(nodes) if number not in moved]
    for extra in extras:
        kept += _condition(main, extra)
        kept.append(_choice(extra, [nodes[number] for number in own[extra]]))
    added = [name for name in _ADDED if name in extras]
    del main.node[:]
    main.node.extend(_summed(kept, added))
    offered = [output for output in main.output if output.name not in added]
    del main.output[:]
    main.output.extend(offered)


def _own_nodes(graph: onnx.GraphProto, outputs: list[str]) -> dict[str, list[int]]:
    """For each output the numbers of the nodes that lead to it and to no other."""
    maker = {name: number for number, node in enumerate(graph.node) for name in node.output}
    reach: dict[str, set[int]] = {}
    for output in outputs:
        found: set[int] = set()
        waiting = [output]
        while waiting:
            name = waiting.pop()
            number = maker.get(name)
            passed_on = name != output and name in outputs  # another output is where its own begin
            if number is not None and number not in found and not passed_on:
                found.add(number)
                waiting.extend(graph.node[number].input)
        reach[output] = found
    return {
        output: sorted(found.difference(*(reach[o] for o in outputs if o != output)))
        for output, found in reach.items()
        if output != "ab"
    }


def _condition(graph: onnx.GraphProto, extra: str) -> list[onnx.NodeProto]:
    """Nodes that compute ``EXTRA.wanted``; optional inputs are made such."""
    if extra == "confidence":
        graph.initializer.append(helper.make_tensor(CONFIDENCE_WANTED, _BOOL, [], [True]))
        graph.input.append(helper.make_tensor_value_info(CONFIDENCE_WANTED, _BOOL, []))
        return [helper.make_node("Identity", [CONFIDENCE_WANTED], ["confidence.wanted"])]
    source = "hint_mask"
    if extra == "variation":
        graph.initializer.append(helper.make_tensor(LEAN, _REAL, [2], [0.0, 0.0]))
        source = LEAN
    size, most, zero = (f"{extra}.{part}" for part in ("size", "most", "zero"))
    return [
        helper.make_node("Abs", [source], [size]),
        helper.make_node("ReduceMax", [size], [most], keepdims=0),
        helper.make_node("Constant", [], [zero], value_float=0.0),
        helper.make_node("Greater", [most, zero], [f"{extra}.wanted"]),
    ]


def _choice(extra: str, own: list[onnx.NodeProto]) -> onnx.NodeProto:
    """The ``If`` that computes an extra by nodes of its own, or answers with zeros."""
    inside, absent = f"{extra}.inside", f"{extra}.absent"
    for node in own:
        node.output[:] = [inside if name == extra else name for name in node.output]
        node.input[:] = [inside if name == extra else name for name in node.input]
    shape = _UNWANTED[extra]
    zeros = [0.0] * int(shape[0])
    none = helper.make_tensor(absent, _REAL, shape, zeros)
    value = [helper.make_tensor_value_info(name, _REAL, None) for name in (inside, absent)]
    nothing = helper.make_node("Constant", [], [absent], value=none)
    branches = {
        "then_branch": helper.make_graph(own, f"{extra}.branch", [], value[:1]),
        "else_branch": helper.make_graph([nothing], f"{extra}.none", [], value[1:]),
    }
    return helper.make_node("If", [f"{extra}.wanted"], [extra], **branches)


def _summed(nodes: list[onnx.NodeProto], added: list[str]) -> list[onnx.NodeProto]:
    """The nodes, and those that add to ab what is added."""
    if not added:
        return nodes
    names = ["ab.automatic", *(f"ab.with_{name}" for name in added[:-1]), "ab"]
    for node in nodes:
        _rename(node, "ab", names[0])
    sums = [
        helper.make_node("Add", [before, extra], [after])
        for before, extra, after in zip(names, added, names[1:], strict=False)
    ]
    return [*nodes, *sums]


def _rename(node: onnx.NodeProto, old: str, new: str) -> None:
    """Give a value another name, also where branches use it."""
    node.input[:] = [new if name == old else name for name in node.input]
    node.output[:] = [new if name == old else name for name in node.output]
    for attribute in node.attribute:
        for inner in attribute.g.node:
            _rename(inner, old, new)
