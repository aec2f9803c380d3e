"""One line for a person: short enough to be one."""

from hwkeras.space import Draft
from hwkeras.space import named_network


def test_the_middle_of_a_very_long_line_is_counted():
    line = named_network("nasnet_a_mobile", (32, 32, 3), 10).summary()
    assert len(line) < 850
    first, *_, last = pieces = line.split(" | ")
    assert (first, last) == ("conv32k3s2 linear", "dense10")
    (counted,) = [piece for piece in pieces if piece.endswith(" more")]
    assert int(counted.split()[0]) + len(pieces) - 1 > 400


def test_a_line_that_fits_is_whole():
    draft = Draft((64, 64, 1))
    for number in range(60):
        draft.append(f"layer{number}", "conv", filters=2 + number)
    pieces = draft.finish().summary().split(" | ")
    assert [piece for piece in pieces if piece.endswith(" more")] == []
    assert len(pieces) == 60


def test_one_piece_that_is_too_long_is_told_whole():
    draft = Draft((4, 4, 1))
    names = [draft.append(f"branch{number}", "conv", ("input",), filters=number + 1) for number in range(150)]
    draft.append("concat", "concat", tuple(names))
    (line,) = draft.finish().summary().split(" | ")
    assert line.startswith("concat(conv1k3, conv2k3, ") and line.endswith("conv150k3)")
