import csv
import gzip
import pathlib
import random

import numpy as np
import pytest

from hwkeras.build import build_model
from hwkeras.errors import UserError
from hwkeras.space import CellSpace
from hwkeras.space import every_cell
from hwkeras.space.cell import Cell
from hwkeras.space.cell import edges

TABLE = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data" / "nb201_dev.csv.gz"
ALL_CONV = Cell(4, ("nor_conv_3x3",) * 6)


def space(**choices):
    return CellSpace((8, 8, 1), 10, **{"cells": 1, "stem_widths": 4, "stages": 2} | choices)


def test_the_values_of_a_cell_are_read_as_that_cell(values_of):
    for cell in random.Random(0).sample(list(every_cell()), 200):
        assert space().cell(values_of(space().values_of(cell))) == cell
        assert space().values_of(str(cell)) == space().values_of(cell)


def test_every_cell_is_a_network(values_of):
    for cell in random.Random(1).sample(list(every_cell()), 200):
        architecture = space().architecture(values_of(space().values_of(cell)))
        assert architecture.output_shape == (10,)
        assert architecture.summary()


def test_cells_alike_but_for_what_leads_nowhere_are_one_network(values_of):
    def network(text):
        return space().architecture(values_of(space().values_of(text))).hash

    plain = network("|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|")
    assert network("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|") == plain  # nothing at all passes its input on
    assert network("|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|") == plain
    assert network("|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|") != plain


def test_the_number_of_choices_is_that_of_the_cells():
    names = [choice.name for choice in space().choices if not choice.is_fixed]
    assert len(names) == 6
    assert np.prod([len(choice.values) for choice in space().choices]) == 15625


@pytest.mark.skipif(not TABLE.is_file(), reason="the benchmark's table is not beside the repository")
def test_a_network_has_the_published_number_of_parameters(values_of):
    with gzip.open(TABLE, "rt") as lines:
        published = {row["arch"]: round(float(row["cifar10_params_mb"]) * 1e6) for row in csv.DictReader(lines)}
    # Published counts hold the weights of edges that lead nowhere: those networks have none.
    whole = [
        cell
        for cell in every_cell()
        if len(cell.live_edges) == sum(operation != "none" for operation in cell.operations) and cell.is_connected
    ]
    benchmark = CellSpace((32, 32, 3), 10, cells=5, stem_widths=16)
    for cell in random.Random(2).sample(whole, 3):
        model = build_model(benchmark.architecture(values_of(benchmark.values_of(cell))))
        number = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
        # 96 biases of the two shortcuts more, 128 weights of the last batch normalization less.
        assert number == published[str(cell)] + 96 - 128


def test_every_operation_is_built(values_of):
    operations = ("none", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "max_pool_3x3", "avg_pool_3x3")
    small = space(operations=operations, nodes=3)
    values = small.values_of(Cell(3, ("sep_conv_5x5", "max_pool_3x3", "avg_pool_3x3")))
    model = build_model(small.architecture(values_of(values)))
    assert model.output_shape == (None, 10)
    assert np.isfinite(model.predict(np.zeros((2, 8, 8, 1), "float32"), verbose=0)).all()


def test_a_space_written_and_read_is_the_space():
    one = space(nodes=3, activations=("relu", "relu6"))
    assert CellSpace(**one.to_json()) == one


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"nodes": 1}, "`nodes` must be an integer of 2 to 6. Received: nodes=1."),
        ({"nodes": 7}, "`nodes` must be an integer of 2 to 6. Received: nodes=7."),
        ({"operations": ("none",)}, r"`operations` must hold one that passes something on. Received: .*'skip_connect'"),
        (
            {"operations": ("conv",)},
            "`operations` must be one of 'none', 'skip_connect', .* Received: operations='conv'",
        ),
        ({"cells": 0}, "`cells` must be a positive integer. Received: cells=0."),
    ],
)
def test_choices_that_break_their_law_are_refused(choices, message):
    with pytest.raises(UserError, match=message):
        space(**choices)


@pytest.mark.parametrize("cell", [Cell(3, ("none",) * 3), Cell(4, ("max_pool_3x3",) * 6)])
def test_a_cell_of_another_space_is_refused(cell):
    with pytest.raises(UserError, match="A cell of this space has 4 nodes and the operations none, skip_connect"):
        space().values_of(cell)


def test_edges_name_the_choices():
    assert [choice.name for choice in space().choices][:6] == [f"cell/{t}_from_{s}" for t, s in edges(4)]
    assert space().values_of(ALL_CONV)["cell/3_from_1"] == "nor_conv_3x3"
