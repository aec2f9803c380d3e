import random

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

import hwkeras as hw
from hwkeras.space import CellSpace
from hwkeras.space import Choice
from hwkeras.space import DictSpace
from hwkeras.space import ImageSpace
from hwkeras.space import Menu
from hwkeras.space.description import num_assignments


def counted(choices):
    """All assignments, one by one."""

    def ways(chosen, left):
        if not left:
            return 1
        choice, rest = left[0], left[1:]
        is_active = all(chosen.get(parent) in allowed for parent, allowed in choice.conditions)
        return sum(ways({**chosen, choice.name: value}, rest) for value in (choice.values if is_active else (None,)))

    return ways({}, tuple(choices))


@given(st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_assignments_are_counted_as_if_one_by_one(seed):
    rng, choices = random.Random(seed), []
    for number in range(rng.randint(1, 6)):
        conditions = ()
        if choices and rng.random() < 0.6:
            parent = rng.choice(choices)
            some = tuple(rng.sample(parent.values, rng.randint(1, len(parent.values))))
            conditions = (*parent.conditions, (parent.name, some))
        choices.append(Choice(f"c{number}", tuple(range(rng.randint(1, 3))), None, conditions))
    menu = Menu(choices)
    assert num_assignments(menu.choices) == counted(menu.choices)


def test_a_space_describes_itself():
    said = ImageSpace((8, 8, 1), 3, stages=1, depths=(1, 2), widths=(8,)).describe()
    first, *rest, last = said.splitlines()
    assert first.startswith("ImageSpace: (8, 8, 1) to 3 classes, ")
    assert first.endswith(" assignments")
    assert any(line.split()[0] == "stage1/depth" for line in rest)
    assert any("stage1/expansion" in line and "where stage1/type is inverted_bottleneck or" in line for line in rest)
    assert "  stage1/width is 8" in rest
    assert last.startswith("for example ")


def test_a_space_of_a_dict_describes_itself():
    said = DictSpace({"filters": [8, 16]}, (8, 8, 1), 3).describe()
    assert said.startswith("DictSpace: (8, 8, 1) to 3 classes, 1 choices, 2 assignments")


@pytest.mark.parametrize(("space", "number"), [(CellSpace((8, 8, 1), 3, cells=1, stem_widths=4), "15,625")])
def test_the_size_of_a_space_is_told(space, number):
    assert f", {number} assignments" in space.describe()


def test_a_hypermodel_describes_its_space():
    assert (
        hw.spaces.Named("resnet8", (32, 32, 3), 10).describe().startswith("NamedSpace: (32, 32, 3) to 10 classes, 1 ")
    )

    class Bare:
        def declare(self, hp): ...

        def architecture(self, hp): ...

        def __repr__(self):
            return "bare"

    from hwkeras.build import HardwareHyperModel

    assert HardwareHyperModel(Bare()).describe() == "bare"
