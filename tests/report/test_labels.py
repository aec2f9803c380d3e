"""Names beside dots: none covers another, none covers a dot."""

from hypothesis import given
from hypothesis import strategies as st

from hwkeras.report.labels import Box
from hwkeras.report.labels import place_labels

AREA = Box(0, 0, 300, 200)
places = st.lists(st.tuples(st.floats(0, 300), st.floats(0, 200)), max_size=12)


def box(x, y, name):
    """What a text of 12 px covers."""
    return Box(x, y - 10, x + 7 * len(name), y + 3)


@given(places)
def test_names_are_free_of_dots_and_of_each_other(places):
    names = [f"{index:02d}" for index in range(len(places))]
    spots = place_labels(places, names, [], AREA)
    boxes = [box(*spot, name) for spot, name in zip(spots, names, strict=True) if spot is not None]
    dots = [Box.around(x, y, 6.5) for x, y in places]
    assert all(AREA.holds(one) for one in boxes)
    assert not any(one.overlaps(dot) for one in boxes for dot in dots)
    assert not any(one.overlaps(two) for index, one in enumerate(boxes) for two in boxes[:index])


def test_a_lone_dot_has_its_name():
    assert place_labels([(150, 100)], ["07"], [], AREA) != [None]


def test_without_room_there_is_no_name():
    assert place_labels([(150, 100)], ["07"], [AREA], AREA) == [None]
    assert place_labels([(5, 5)], ["a very long name"], [], Box(0, 0, 20, 20)) == [None]
