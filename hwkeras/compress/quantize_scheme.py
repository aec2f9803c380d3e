"""tfmot's 8-bit scheme, mended where it leaves a convolution in front of a ReLU layer unquantized.

For a ReLU directly behind a convolution or dense layer (no batch normalization between) tfmot's layout transform
replaces the whole configuration of that layer by "quantize nothing": its weights then train in float, and lose the
zeros pruning gave them. Only its *output* should stay unquantized, because the two are fused.
"""

from hwkeras.compress.legacy import ConvQuantizeConfig
from hwkeras.compress.legacy import LayoutTransform
from hwkeras.compress.legacy import NoOpQuantizeConfig
from hwkeras.compress.legacy import PrunePreserveRegistry
from hwkeras.compress.legacy import PrunePreserveScheme
from hwkeras.compress.legacy import QuantizeConfig
from hwkeras.compress.legacy import QuantizeScheme
from hwkeras.compress.legacy import tf_keras

# Layer class -> (configuration, name of its kernel).
_KERNELS = {
    tf_keras.layers.Conv2D: (ConvQuantizeConfig, "kernel"),
    tf_keras.layers.DepthwiseConv2D: (ConvQuantizeConfig, "depthwise_kernel"),
    tf_keras.layers.Dense: (QuantizeConfig, "kernel"),
}


def scheme(*, keeps_zeros):
    """The scheme for `quantize_apply`.

    Args:
        keeps_zeros: bool, whether weights that are zero stay zero while training.

    Returns:
        A tfmot quantize scheme.
    """
    return _PreservingScheme() if keeps_zeros else _Scheme()


class _LayoutTransform(LayoutTransform):
    """The default layout transform; afterwards fused layers quantize their kernels again."""

    def __init__(self, keeps_zeros):
        super().__init__()
        self._keeps_zeros = keeps_zeros

    def apply(self, model, layer_quantize_map):
        model, configurations = super().apply(model, layer_quantize_map)
        for layer in model.layers:
            entry = configurations.get(layer.name) or {}
            if type(layer) in _KERNELS and isinstance(entry.get("quantize_config"), NoOpQuantizeConfig):
                entry["quantize_config"] = self._kernel_only(layer)
        return model, configurations

    def _kernel_only(self, layer):
        make, kernel = _KERNELS[type(layer)]
        configuration = make([kernel], [], False)
        if self._keeps_zeros and kernel == "kernel":
            return PrunePreserveRegistry().apply_sparsity_preserve_quantize_config(layer, configuration)
        return configuration


class _Scheme(QuantizeScheme):
    def get_layout_transformer(self):
        return _LayoutTransform(keeps_zeros=False)


class _PreservingScheme(PrunePreserveScheme):
    def get_layout_transformer(self):
        return _LayoutTransform(keeps_zeros=True)
