"""The space of layer lists: up to so many convolutions, pools and dense layers, each with its own parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hwkeras.errors import UserError
from hwkeras.space.actions import ACTIONS
from hwkeras.space.actions import chain
from hwkeras.space.choice import Choice
from hwkeras.space.choice import Menu
from hwkeras.space.law import CLASSES
from hwkeras.space.law import IMAGE_SHAPE
from hwkeras.space.law import POSITIVE
from hwkeras.space.law import one_of
from hwkeras.space.menu_space import MenuSpace

_CHOICE_LAWS = {
    "layer_types": one_of(ACTIONS),
    "conv_filters": POSITIVE,
    "conv_kernels": POSITIVE,
    "conv_strides": POSITIVE,
    "pool_sizes": POSITIVE,
    "pool_strides": POSITIVE,
    "fc_sizes": POSITIVE,
}


@dataclass(frozen=True)
class LayerListSpace(MenuSpace):
    """Lists of 1 to `num_layers` layers, then a softmax classifier; dense layers come after all others.

    The hyperparameter `layout`, such as `"3+1"`, says how many convolutions and pools and how many dense layers there
    are; `layer1/type` and so on say which. A pool is a choice only where it fits even if all before it were pools.
    Values given twice count once.

    Args:
        input_shape: (height, width, channels). Defaults to `(32, 32, 3)`.
        output_shape: (number of classes,), or the int. Defaults to `(10,)`.
        num_layers: int, the most layers. Defaults to `5`.
        layer_types: among `"conv"`, `"pool"`, `"fc"`. Defaults to all three.
        conv_kernels: kernel extents. Defaults to `(3,)`.
        conv_strides: strides of convolutions. Defaults to `(1,)`.
        pool_sizes: extents of max pools. Defaults to `(2,)`.
        pool_strides: strides of max pools. Defaults to `(2,)`.
        fc_sizes: units of dense layers. Defaults to `(64, 128)`.
        conv_filters: channels of convolutions. Defaults to `(16, 32, 64)`.

    Raises:
        UserError: an argument breaks its law, or no layer of these types fits the input.
    """

    input_shape: tuple[int, int, int] = (32, 32, 3)
    output_shape: tuple[int] = (10,)
    num_layers: int = 5
    layer_types: tuple = ACTIONS
    conv_kernels: tuple = (3,)
    conv_strides: tuple = (1,)
    pool_sizes: tuple = (2,)
    pool_strides: tuple = (2,)
    fc_sizes: tuple = (64, 128)
    conv_filters: tuple = (16, 32, 64)

    def __post_init__(self):
        self._set("input_shape", IMAGE_SHAPE.apply("input_shape", self.input_shape))
        self._set("output_shape", _classes(self.output_shape))
        self._set("num_layers", POSITIVE.apply("num_layers", self.num_layers))
        for name, law in _CHOICE_LAWS.items():
            self._set(name, law.apply_all(name, getattr(self, name)))
        self.__dict__["_pools"] = self._fitting_pools()
        self.__dict__["_layouts"] = self._possible_layouts()
        if not self._layouts:
            raise UserError(
                f"At least one layer must fit the input. Received: layer_types={self.layer_types}, "
                f"pool_sizes={self.pool_sizes} for {self.input_shape}. Add 'conv' or 'fc', or a smaller pool."
            )
        self.__dict__["_menu"] = Menu(self._choices())

    def _set(self, name, value):
        object.__setattr__(self, name, value)

    @property
    def num_classes(self):
        """int."""
        return self.output_shape[0]

    @property
    def choices(self):
        """Tuple of `Choice`, parents first, fixed ones included."""
        return self._menu.choices

    def _network(self, values):
        num_maps, num_dense = _counts(values["layout"])
        steps = [_step(values, number) for number in range(1, num_maps + 1)]
        steps += [("fc", {"units": values[f"fc{number}/units"]}) for number in range(1, num_dense + 1)]
        return chain(steps, self.input_shape, self.num_classes)

    def _fitting_pools(self):
        """For each position, the pool sizes that fit whatever came before."""
        extent, fitting = min(self.input_shape[:2]), []
        while len(fitting) < self.num_layers:
            sizes = tuple(size for size in self.pool_sizes if size <= extent) if "pool" in self.layer_types else ()
            fitting.append(sizes)
            after = [(extent - size) // stride + 1 for size in sizes for stride in self.pool_strides]
            if "conv" in self.layer_types:
                after += [math.ceil(extent / stride) for stride in self.conv_strides]
            extent = min(after, default=0)
        return fitting

    def _types(self, number):
        is_pool = bool(self._pools[number - 1])
        return tuple(name for name in self.layer_types if name == "conv" or (name == "pool" and is_pool))

    def _possible_layouts(self):
        most_maps = 0
        while most_maps < self.num_layers and self._types(most_maps + 1):
            most_maps += 1
        most_dense = self.num_layers if "fc" in self.layer_types else 0
        pairs = ((maps, dense) for maps in range(most_maps + 1) for dense in range(most_dense + 1))
        # Longest first: keras-tuner tries a scope's first value, which then switches on the most others.
        pairs = sorted(
            (pair for pair in pairs if 1 <= sum(pair) <= self.num_layers), key=lambda pair: (-sum(pair), pair)
        )
        return tuple(f"{maps}+{dense}" for maps, dense in pairs)

    def _choices(self):
        longest = [layout for layout in self._layouts if sum(_counts(layout)) == sum(_counts(self._layouts[0]))]
        yield Choice("layout", self._layouts, longest[len(longest) // 2])
        for number in range(1, self.num_layers + 1):
            yield from self._map_choices(number)
        for number in range(1, self.num_layers + 1):
            longer = tuple(layout for layout in self._layouts if _counts(layout)[1] >= number)
            yield Choice(f"fc{number}/units", self.fc_sizes, None, (("layout", longer),))

    def _map_choices(self, number):
        longer = tuple(layout for layout in self._layouts if _counts(layout)[0] >= number)
        if not longer:
            return
        present, name = (("layout", longer),), f"layer{number}"
        yield Choice(f"{name}/type", self._types(number), None, present)
        convs = (*present, (f"{name}/type", ("conv",)))
        yield Choice(f"{name}/filters", self.conv_filters, None, convs)
        yield Choice(f"{name}/kernel", self.conv_kernels, None, convs)
        yield Choice(f"{name}/stride", self.conv_strides, None, convs)
        pools = (*present, (f"{name}/type", ("pool",)))
        if self._pools[number - 1]:
            yield Choice(f"{name}/pool_size", self._pools[number - 1], None, pools)
            yield Choice(f"{name}/pool_stride", self.pool_strides, None, pools)


def _classes(output_shape):
    shape = tuple(output_shape) if isinstance(output_shape, (list, tuple)) else (output_shape,)
    if len(shape) != 1:
        raise UserError(
            f"`output_shape` must be (num_classes,), such as (10,). Received: output_shape={output_shape!r}."
        )
    return (CLASSES.apply("output_shape", shape[0]),)


def _counts(layout):
    num_maps, num_dense = layout.split("+")
    return int(num_maps), int(num_dense)


def _step(values, number):
    name = f"layer{number}"
    if values[f"{name}/type"] == "pool":
        return "pool", {"size": values[f"{name}/pool_size"], "stride": values[f"{name}/pool_stride"]}
    return "conv", {key: values[f"{name}/{key}"] for key in ("filters", "kernel", "stride")}
