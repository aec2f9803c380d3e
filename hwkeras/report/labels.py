"""Where names go beside dots so that none covers a dot or another name."""

from __future__ import annotations

from dataclasses import dataclass

_CHARACTER_WIDTH = 7.0
_ASCENT, _DESCENT = 10.0, 3.0
_DOT_RADIUS = 8.0
_GAP = 3.0


@dataclass(frozen=True)
class Box:
    """An upright rectangle in pixels, y downwards.

    Args:
        left: float.
        top: float.
        right: float.
        bottom: float.
    """

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def around(cls, x, y, radius):
        """Returns the square of half width `radius` around a point."""
        return cls(x - radius, y - radius, x + radius, y + radius)

    def overlaps(self, other):
        """Returns whether the two share any area."""
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )

    def holds(self, other):
        """Returns whether `other` lies wholly inside."""
        return (
            self.left <= other.left
            and self.top <= other.top
            and other.right <= self.right
            and other.bottom <= self.bottom
        )


def place_labels(places, names, taken, area):
    """Finds a spot beside each dot for its name: the first free one of eight; greedy, in the order given.

    Args:
        places: sequence of (x, y) of the dots, in pixels.
        names: sequence of str, one a dot.
        taken: sequence of `Box` that must stay free, beside the dots themselves.
        area: `Box` that every name must lie in.

    Returns:
        list of (x, y), the start of the baseline of each text; or None where there is no room.
    """
    taken = [*taken, *(Box.around(x, y, _DOT_RADIUS) for x, y in places)]
    spots = []
    for (x, y), name in zip(places, names, strict=True):
        spot = next((spot for spot in _spots(x, y, name) if _is_free(_box(*spot, name), taken, area)), None)
        if spot is not None:
            taken.append(_box(*spot, name))
        spots.append(spot)
    return spots


def _spots(x, y, name):
    width, reach = _CHARACTER_WIDTH * len(name), _DOT_RADIUS + _GAP
    middle = y + (_ASCENT - _DESCENT) / 2
    # Left above and right below a point of a staircase that climbs to the right are free of its line.
    yield x - width - _GAP, y - reach - _DESCENT
    yield x + _GAP + 2, y + reach + _ASCENT
    yield x - width - reach, middle
    yield x - width / 2, y - reach - _DESCENT
    yield x + reach, y - reach
    yield x + reach, middle + reach
    yield x - width / 2, y + reach + _ASCENT
    yield x + reach, middle


def _box(x, y, name):
    return Box(x, y - _ASCENT, x + _CHARACTER_WIDTH * len(name), y + _DESCENT)


def _is_free(box, taken, area):
    return area.holds(box) and not any(box.overlaps(other) for other in taken)
