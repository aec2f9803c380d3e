import pytest

from hwkeras.errors import UserError
from hwkeras.space import Draft
from hwkeras.space import ImageSpace
from hwkeras.space.branches import BRANCHED


@pytest.mark.parametrize("layer_type", BRANCHED)
@pytest.mark.parametrize(("filters", "stride"), [(4, 1), (9, 2), (16, 2)])
def test_a_block_has_the_filters_and_the_stride_asked_for(layer_type, filters, stride):
    append, _ = BRANCHED[layer_type]
    draft = Draft((7, 6, 3))
    last = append(draft, "block", filters=filters, kernel=3, stride=stride, activation="relu")
    assert draft.last == last
    assert draft.shape == (-(-7 // stride), -(-6 // stride), filters)
    draft.append("pool", "global_average_pool")
    draft.append("classifier", "classifier", classes=3)
    assert all(layer.name.startswith("block_") for layer in draft.finish().layers[1:-2])


@pytest.mark.parametrize("layer_type", BRANCHED)
def test_a_stage_of_branched_blocks_is_searched(layer_type, values_of):
    one = ImageSpace((12, 12, 1), 4, stages=1, layer_types=(layer_type,), depths=(2,), widths=(8,), strides=(2,))
    skipping, plain = (
        one.architecture(
            values_of({
                "resolution": 1, "activation": "relu", "stem/width": 8, "stem/stride": 1, "stage1/kernel": 3,
                "stage1/skip": skip, "head/type": "global_pool", "head/dense_units": 0, "head/dropout": 0.0,
            })
        )
        for skip in (True, False)
    )  # fmt: skip
    assert [layer.kind for layer in skipping.layers].count("add") == 1  # the first block strides
    assert [layer.kind for layer in plain.layers].count("add") == 0
    assert layer_type not in ImageSpace((12, 12, 1), 4).layer_types or layer_type == "parallel_conv"


@pytest.mark.parametrize(("layer_type", "least"), [(name, least) for name, (_, least) in BRANCHED.items()])
def test_widths_too_small_to_divide_are_refused(layer_type, least):
    said = f"`widths` must be {least} or more with layer type '{layer_type}', which divides them between its branches"
    with pytest.raises(UserError, match=said):
        ImageSpace((12, 12, 1), 4, layer_types=(layer_type,), widths=(least - 1, 8))
