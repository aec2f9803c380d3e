"""One stage of the image space: blocks of one type and width; the first one strides."""

from __future__ import annotations

from hwkeras.space.branches import BRANCHED
from hwkeras.space.choice import Choice

LAYER_TYPES = (
    "conv",
    "separable_conv",
    "inverted_bottleneck",
    "fused_inverted_bottleneck",
    "residual",
    "parallel_conv",
)
# Types that a space holds only where they are named: they widen the search, and few problems need them.
FURTHER_LAYER_TYPES = tuple(name for name in BRANCHED if name not in LAYER_TYPES)
_EXPANDING = ("inverted_bottleneck", "fused_inverted_bottleneck")
_EXCITABLE = (*_EXPANDING, "residual")


class Stage:
    """A stage: what it leaves open, and the layers of a set of values.

    Args:
        number: int, from 1.
        space: ImageSpace it belongs to.
    """

    def __init__(self, number, space):
        self._number = number
        self._space = space

    def _name(self, what):
        return f"stage{self._number}/{what}"

    def choices(self):
        """What the stage leaves open.

        Yields:
            Choice, parents first.
        """
        space, depth = self._space, self._name("depth")
        deep = tuple(number for number in space.depths if number > 1)
        # A stage is present only where the one before it is: an absent stage in the middle would be another's twin.
        before = tuple((f"stage{number}/depth", space.depths) for number in range(space.min_stages + 1, self._number))
        is_optional = self._number > space.min_stages
        yield Choice(depth, (*((0,) if is_optional else ()), *space.depths), (deep or space.depths)[0], before)
        present = (*before, (depth, space.depths))
        yield Choice(self._name("type"), space.layer_types, self._default_type(), present)
        yield Choice(self._name("width"), space.widths, self._default_width(), present)
        yield Choice(self._name("kernel"), space.kernels, None, present)
        yield Choice(self._name("stride"), space.strides, self._default_stride(), present)
        yield Choice(self._name("skip"), space.skips, None, (*before, (depth, deep)))
        of_type = self._name("type")
        yield Choice(self._name("expansion"), space.expansions, None, (*present, (of_type, _EXPANDING)))
        yield Choice(self._name("squeeze_excite"), space.squeeze_excite, None, (*present, (of_type, _EXCITABLE)))

    def _default_type(self):
        wanted = [name for name in self._space.layer_types if name in _EXPANDING]
        return wanted[0] if wanted else None

    def _default_width(self):
        return self._space.widths[min(self._number, len(self._space.widths)) - 1]

    def _default_stride(self):
        return max(self._space.strides) if self._number > 1 else None

    def append(self, draft, values):
        """Appends the stage's blocks.

        Args:
            draft: Draft.
            values: dict of choice name to value, the active ones.
        """
        depth = values.get(self._name("depth"), 0)
        for block in range(1, depth + 1):
            name = f"stage{self._number}_block{block}"
            params = self._block_params(values, is_first=block == 1)
            if values[self._name("type")] in BRANCHED:
                _append_branched(draft, name, values[self._name("type")], **params)
            else:
                draft.append(name, values[self._name("type")], **params)

    def _block_params(self, values, is_first):
        of_type = values[self._name("type")]
        params = {
            "filters": values[self._name("width")],
            "kernel": self._space.kernel_extent(values[self._name("kernel")]),
            "stride": values[self._name("stride")] if is_first else 1,
            "activation": values["activation"],
        }
        if of_type in _EXPANDING:
            params["expansion"] = values[self._name("expansion")]
        if of_type in _EXCITABLE:
            params["se"] = values[self._name("squeeze_excite")]
        # Inactive in a stage of one block: only a residual block can have a shortcut there, and has it if any has.
        skip = values.get(self._name("skip"), max(self._space.skips))
        params["skip"] = skip and (of_type == "residual" or not is_first)
        return params


def _append_branched(draft, name, layer_type, skip, **params):
    source, (append, _) = draft.last, BRANCHED[layer_type]
    merged = append(draft, name, **params)
    if skip:
        draft.append(f"{name}_add", "add", (source, merged))
