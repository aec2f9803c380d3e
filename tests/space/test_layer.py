import copy
import pickle

import pytest

from hwkeras.errors import UserError
from hwkeras.space import KINDS
from hwkeras.space import Layer
from hwkeras.space import Params


def test_defaults_are_filled_in_and_both_spellings_are_equal():
    short = Layer("a", "conv", ("input",), {"filters": 8})
    long = Layer("a", "conv", "input", {"filters": 8, "kernel": (3, 3), "stride": 1, "activation": "relu"})
    assert short == long and hash(short) == hash(long)
    assert dict(short.params) == {
        "filters": 8,
        "kernel": 3,
        "stride": 1,
        "activation": "relu",
        "batch_norm": True,
        "se": False,
        "skip": False,
    }


def test_a_pool_strides_by_its_size_unless_told_otherwise():
    assert Layer("p", "max_pool", ("a",), {"size": (3, 1)}).params["stride"] == (3, 1)
    assert Layer("p", "max_pool", ("a",), {"size": 3, "stride": 2}).params["stride"] == 2


def test_params_are_frozen_and_copied():
    layer = Layer("a", "conv", ("input",), {"filters": 8})
    with pytest.raises(AttributeError, match="Params are frozen"):
        layer.params.filters = 9
    with pytest.raises(KeyError, match="nothing"):
        layer.params["nothing"]
    assert copy.deepcopy(layer) == layer == pickle.loads(pickle.dumps(layer))
    assert repr(Params({"b": 1, "a": 2})) == "Params({'a': 2, 'b': 1})"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("1a", "flatten", ("x",)), r"name must be letters, digits and underscores.*name='1a'"),
        (("a", "conv3d", ("x",)), r"`kind` must be one of input, conv.*kind='conv3d'"),
        (("a", "conv", ("x",)), r"`filters` of conv layer 'a' must be given: a positive integer"),
        (("a", "conv", ("x",), {"filters": 0}), r"`filters` of conv layer 'a' must be a positive integer.*filters=0"),
        (("a", "conv", ("x",), {"filters": True}), r"must be a positive integer.*filters=True"),
        (("a", "conv", ("x",), {"filters": 2.5}), r"must be a positive integer.*filters=2.5"),
        (("a", "conv", ("x",), {"filters": 8, "kernel": (3, 3, 3)}), r"or a pair of them.*kernel=\(3, 3, 3\)"),
        (("a", "conv", ("x",), {"filters": 8, "activation": "gelu"}), r"one of 'relu'.*activation='gelu'"),
        (("a", "conv", ("x",), {"filters": 8, "units": 8}), r"A conv layer takes filters, kernel.*'units'"),
        (("a", "flatten", ("x",), {"units": 8}), r"A flatten layer takes no parameters.*'units'"),
        (("a", "dropout", ("x",), {"rate": 1.0}), r"`rate` of dropout layer 'a' must be in \[0, 1\).*rate=1.0"),
        (("a", "residual", ("x",), {"filters": 8, "se": "yes"}), r"`se`.*must be True or False.*se='yes'"),
        (("a", "input", (), {"shape": ()}), r"`shape`.*one to three positive integers.*shape=\(\)"),
        (("a", "max_pool", ("x",), {"padding": "full"}), r"`padding`.*one of 'same', 'valid'.*padding='full'"),
        (("a", "conv", (), {"filters": 8}), r"A conv layer takes 1 input\(s\).*inputs=\(\)"),
        (("a", "add", ("x",)), r"A add layer takes at least 2 input\(s\).*inputs=\('x',\)"),
        (("a", "input", ("x",), {"shape": (8,)}), r"A input layer takes 0 input\(s\)"),
    ],
)
def test_a_layer_cannot_be_built_wrong(arguments, said):
    with pytest.raises(UserError, match=said):
        Layer(*arguments)


def test_json_of_a_layer():
    layer = Layer("p", "average_pool", ("a",), {"size": (2, 3)})
    document = layer.to_json()
    assert document == {
        "name": "p",
        "kind": "average_pool",
        "inputs": ["a"],
        "params": {"padding": "valid", "size": [2, 3], "stride": [2, 3]},
    }
    assert Layer.from_json(document) == layer
    with pytest.raises(UserError, match=r"must hold name, kind, inputs and params. Received: \{'name': 'p'\}"):
        Layer.from_json({"name": "p"})


def test_every_kind_has_a_rule_for_its_shape():
    from hwkeras.space import shapes

    assert set(KINDS) == {"input", *shapes._MERGES, *shapes._RULES}
