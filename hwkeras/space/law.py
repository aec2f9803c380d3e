"""What a parameter may be: a law that is said in every message, and the canonical form of what keeps it."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hwkeras.errors import UserError


@dataclass(frozen=True)
class Law:
    """The values a parameter may take.

    Args:
        text: str, ends the sentence "`name` must be ...".
        normalize: function of the value; returns its canonical, JSON-able form or raises ValueError or TypeError.
    """

    text: str
    normalize: Callable[[Any], Any]

    def apply(self, name, value, where=""):
        """Returns the canonical form of a value.

        Args:
            name: str, the parameter's name for the message.
            value: what was received.
            where: str, ends the message's first half, such as `" of layer 'stem'"`. Defaults to `""`.

        Returns:
            The value as int, float, bool, str, or tuple of ints.

        Raises:
            UserError: the value breaks the law.
        """
        try:
            return self.normalize(value)
        except (TypeError, ValueError):
            raise UserError(f"`{name}`{where} must be {self.text}. Received: {name}={value!r}.") from None

    def apply_all(self, name, values):
        """Returns the canonical form of several values, each once, in the order of their first appearance.

        Args:
            name: str, the parameter's name for the message.
            values: one value, or a list or tuple of them.

        Returns:
            Tuple of values, not empty.

        Raises:
            UserError: no values, or one that breaks the law.
        """
        values = tuple(values) if isinstance(values, (list, tuple, set, frozenset, range)) else (values,)
        if not values:
            raise UserError(f"`{name}` must hold at least one value. Received: {name}=(). Pass one value to fix it.")
        return tuple(dict.fromkeys(self.apply(name, value) for value in values))


def _integer(least):
    def normalize(value):
        if isinstance(value, bool) or operator.index(value) < least:
            raise ValueError
        return operator.index(value)

    return normalize


def _extent(value):
    if not isinstance(value, (list, tuple)):
        return _integer(1)(value)
    height, width = (_integer(1)(number) for number in value)
    return height if height == width else (height, width)


def _shape(*ranks):
    def normalize(value):
        shape = tuple(_integer(1)(number) for number in value)
        if len(shape) not in ranks:
            raise ValueError
        return shape

    return normalize


def _flag(value):
    # keras-tuner's gRPC sends a bool as an integer.
    if value not in (False, True):
        raise ValueError
    return bool(value)


def _rate(value):
    if isinstance(value, (bool, str)) or not 0.0 <= value < 1.0:
        raise ValueError
    return float(value)


def _number(value):
    if isinstance(value, (bool, str)) or not math.isfinite(value):
        raise ValueError
    return float(value)


def _positive_number(value):
    if not _number(value) > 0:
        raise ValueError
    return float(value)


def _many(normalize):
    def normalize_all(values):
        if not isinstance(values, (list, tuple)) or not values:
            raise ValueError
        return tuple(normalize(value) for value in values)

    return normalize_all


def one_of(options):
    """The law of a name out of a few.

    Args:
        options: sequence of str.

    Returns:
        Law.
    """

    def normalize(value):
        if not isinstance(value, str) or value not in options:
            raise ValueError
        return str(value)

    return Law(f"one of {', '.join(map(repr, options))}", normalize)


POSITIVE = Law("a positive integer", _integer(1))
COUNT = Law("an integer of 0 or more", _integer(0))
CLASSES = Law("a number of classes, or 1 to predict a number", _integer(1))
EXTENT = Law("a positive integer, or a pair of them (height, width)", _extent)
SHAPE = Law("a tuple of one to three positive integers, such as (28, 28, 1)", _shape(1, 2, 3))
IMAGE_SHAPE = Law("(height, width, channels), three positive integers", _shape(3))
FLAG = Law("True or False", _flag)
POSITIVE_NUMBER = Law("a positive number", _positive_number)
NUMBERS = Law("a tuple of finite numbers, one for each band", _many(_number))
POSITIVE_NUMBERS = Law("a tuple of positive numbers, one for each band", _many(_positive_number))
RATE = Law("in [0, 1)", _rate)
