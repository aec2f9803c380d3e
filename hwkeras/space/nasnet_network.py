"""A network of NASNet's cells, layer by layer."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hwkeras.space.nasnet_cell import FACTORIZED
from hwkeras.space.nasnet_cell import IDENTITY
from hwkeras.space.nasnet_cell import INPUT
from hwkeras.space.nasnet_cell import POOLS
from hwkeras.space.nasnet_cell import PREVIOUS
from hwkeras.space.nasnet_cell import SEPARABLE
from hwkeras.space.nasnet_cell import NasnetCell


@dataclass(frozen=True)
class CellStep:
    """One cell of a network.

    Args:
        name: str, what its layers' names begin with.
        cell: NasnetCell.
        filters: int, channels of each operation.
        stride: int, 1, or 2 for a cell that halves rows and columns. Defaults to `1`.
    """

    name: str
    cell: NasnetCell
    filters: int
    stride: int = 1


def nasnet_steps(normal, reduction, stages, repeats, filters, stem_reductions=0):
    """The cells of a network: stages of equal normal cells, with a reduction cell between two of them.

    Args:
        normal: NasnetCell.
        reduction: NasnetCell, or None where there is nothing to reduce.
        stages: int; each has twice the channels of the one before.
        repeats: int, normal cells in each stage.
        filters: int, channels of each operation in the first stage.
        stem_reductions: int, reduction cells in front of all, each with half the channels of what follows. Defaults to
            `0`.

    Yields:
        CellStep.
    """
    for number in range(1, stem_reductions + 1):
        yield CellStep(f"stem{number}", reduction, filters // 2 ** (stem_reductions - number + 1), 2)
    for stage in range(1, stages + 1):
        width = filters * 2 ** (stage - 1)
        if stage > 1:
            yield CellStep(f"stage{stage}_reduction", reduction, width, 2)
        for number in range(1, repeats + 1):
            yield CellStep(f"stage{stage}_cell{number}", normal, width)


def append_cells(draft, steps, activation):
    """Appends cells, of which each takes the two before it; the first takes what the draft has so far, twice.

    A cell that nothing takes is left out, as its output would lead nowhere. Where shapes differ they are matched by a
    1x1 convolution with a stride: the article's factorized reduction, two such convolutions of half the channels on
    shifted pixels, simplified to one of as many weights.

    Args:
        draft: Draft.
        steps: iterable of `CellStep`.
        activation: str.
    """
    steps = tuple(steps)
    tensors, activated = [_Tensor(draft.last, draft.shape)], {}
    for step, is_needed in zip(steps, _needed(steps), strict=True):
        last, previous = tensors[-1], tensors[max(0, len(tensors) - 2)]
        writer = _CellWriter(draft, step, last, previous, activation, activated)
        tensors.append(writer.append() if is_needed else writer.left_out())
    draft.go_on_from(tensors[-1].name)


def _needed(steps):
    """For each cell, whether the last one depends on it."""
    needed = [True] * len(steps)
    for place in reversed(range(len(steps) - 1)):
        after, next_after = steps[place + 1], steps[place + 2] if place + 2 < len(steps) else None
        needed[place] = (needed[place + 1] and after.cell.takes(INPUT)) or (
            next_after is not None and needed[place + 2] and next_after.cell.takes(PREVIOUS)
        )
    return needed


@dataclass(frozen=True)
class _Tensor:
    """A layer and the shape it gives; no name for a cell that is left out."""

    name: str | None
    shape: tuple[int, int, int]


class _CellWriter:
    """Appends the layers of one cell."""

    def __init__(self, draft, step, last, previous, activation, activated):
        self._draft = draft
        self._step = step
        self._last = last
        self._previous = previous
        self._activation = activation
        # Shared by all cells: two of them may convolve one tensor.
        self._activated = activated
        self._states = {}
        self._pooled = {}

    def append(self):
        step = self._step
        for number, block in enumerate(step.cell.blocks, 1):
            names = [
                self._operation(state, operation, f"{step.name}_block{number}_{place}").name
                for place, (state, operation) in zip(("first", "second"), block.terms, strict=True)
            ]
            self._states[f"block{number}"] = self._layer(f"{step.name}_block{number}", "add", names)
        outputs = [self._output(state).name for state in step.cell.outputs]
        return (
            self._layer(f"{step.name}_concat", "concat", outputs)
            if len(outputs) > 1
            else self._output(step.cell.outputs[0])
        )

    def left_out(self):
        height, width, channels = self._last.shape
        return _Tensor(None, (*(math.ceil(extent / self._step.stride) for extent in (height, width)), channels))

    def _layer(self, name, kind, inputs, **params):
        self._draft.append(name, kind, tuple(inputs), **params)
        return _Tensor(name, self._draft.shape)

    def _convolution(self, name, source, **params):
        return self._layer(
            name, "conv", (source.name,), **{"filters": self._step.filters, "activation": "linear"} | params
        )

    def _after_activation(self, source):
        if source.name not in self._activated:
            self._activated[source.name] = self._layer(
                f"{source.name}_activation", "activation", (source.name,), activation=self._activation
            )
        return self._activated[source.name]

    def _state(self, state):
        """A state's tensor; those from outside are brought to the cell's channels when they are first taken."""
        if state not in self._states:
            self._states[state] = self._squeezed() if state == INPUT else self._adjusted()
        return self._states[state]

    def _squeezed(self):
        return self._convolution(f"{self._step.name}_input", self._after_activation(self._last), kernel=1)

    def _adjusted(self):
        previous, extents = self._previous, self._last.shape[:2]
        # The first cell has the stem before it and nothing before that: the stem as it is.
        is_fitting = previous.shape[:2] == extents and previous.shape[-1] == self._step.filters
        if previous == self._last or is_fitting:
            return previous
        stride = 1 if previous.shape[:2] == extents else 2
        return self._convolution(
            f"{self._step.name}_previous", self._after_activation(previous), kernel=1, stride=stride
        )

    def _stride(self, state):
        return self._step.stride if state in (INPUT, PREVIOUS) else 1

    def _output(self, state):
        return self._identity(state, f"{self._step.name}_kept") if self._stride(state) > 1 else self._state(state)

    def _operation(self, state, operation, name):
        if operation == IDENTITY:
            return self._identity(state, name)
        if operation in POOLS:
            return self._pool(state, operation, name)
        if operation == FACTORIZED:
            return self._factorized(state, name)
        return self._separable(state, SEPARABLE[operation], name)

    def _identity(self, state, name):
        source, stride = self._state(state), self._stride(state)
        if stride == 1 and source.shape[-1] == self._step.filters:
            return source
        return self._convolution(f"{name}_match", self._after_activation(source), kernel=1, stride=stride)

    def _pool(self, state, operation, name):
        if (state, operation) not in self._pooled:  # it has no weights: once is enough
            source, params = self._state(state), {"size": 3, "stride": self._stride(state), "padding": "same"}
            self._pooled[state, operation] = self._layer(f"{name}_pool", POOLS[operation], (source.name,), **params)
        pooled = self._pooled[state, operation]
        return (
            pooled if pooled.shape[-1] == self._step.filters else self._convolution(f"{name}_match", pooled, kernel=1)
        )

    def _separable(self, state, kernel, name):
        """Twice: a depthwise convolution, nothing in between, a pointwise one."""
        tensor = self._after_activation(self._state(state))
        for number, stride, activation in ((1, self._stride(state), self._activation), (2, 1, "linear")):
            params = {"kernel": kernel, "stride": stride, "activation": "linear", "batch_norm": False}
            tensor = self._layer(f"{name}_depth{number}", "depthwise_conv", (tensor.name,), **params)
            tensor = self._convolution(f"{name}_point{number}", tensor, kernel=1, activation=activation)
        return tensor

    def _factorized(self, state, name):
        wide = self._convolution(
            f"{name}_wide", self._after_activation(self._state(state)), kernel=(1, 7), activation=self._activation
        )
        return self._convolution(f"{name}_tall", wide, kernel=(7, 1), stride=self._stride(state))
