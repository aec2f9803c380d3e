import csv
import gzip
import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwkeras.errors import UserError
from hwkeras.space import Cell
from hwkeras.space import every_cell
from hwkeras.space.cell import OPERATIONS
from hwkeras.space.cell import edges

TABLE = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data" / "nb201_dev.csv.gz"
CELLS = st.integers(2, 5).flatmap(
    lambda nodes: st.tuples(*[st.sampled_from(OPERATIONS)] * len(edges(nodes))).map(lambda chosen: Cell(nodes, chosen))
)


def test_edges_are_in_the_order_of_the_benchmark():
    assert edges(4) == ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2))


@given(CELLS)
def test_a_cell_written_and_read_is_the_cell(cell):
    assert Cell.parse(str(cell)) == cell


@given(CELLS)
def test_live_edges_lie_on_a_way_through(cell):
    live = {(target, source) for target, source, _ in cell.live_edges}
    chosen = zip(edges(cell.nodes), cell.operations, strict=True)
    present = {edge for edge, operation in chosen if operation != "none"}

    def ways(node):
        """Every way from a node to the output, as sets of edges."""
        if node == cell.nodes - 1:
            return [set()]
        return [{edge} | way for edge in present if edge[1] == node for way in ways(edge[0])]

    assert live == set().union(*ways(0), set())
    assert cell.is_connected == bool(ways(0))


def test_there_are_15625_cells_and_341_of_them_lead_nowhere():
    cells = list(every_cell())
    assert len(set(cells)) == len(cells) == 15625
    assert sum(not cell.is_connected for cell in cells) == 341


@pytest.mark.skipif(not TABLE.is_file(), reason="the benchmark's table is not beside the repository")
def test_the_cells_are_those_of_the_benchmark():
    with gzip.open(TABLE, "rt") as lines:
        named = [row["arch"] for row in csv.DictReader(lines)]
    assert set(named) == {str(cell) for cell in every_cell()}
    assert len(named) == 15625


def test_a_wrong_number_of_operations_is_refused():
    with pytest.raises(UserError, match="A cell of 4 nodes has 6 edges, .* Received: 1 operations"):
        Cell(4, ("none",))


@pytest.mark.parametrize("text", ["", "|none~0", "|none~1|", "|none~0|+|none~0|", "|none~0|+|none~1|none~0|", "junk"])
def test_another_form_is_refused(text):
    with pytest.raises(UserError, match=r"A cell is written node by node, '\|op~0\|\+\|op~0\|op~1\|\+...'"):
        Cell.parse(text)
