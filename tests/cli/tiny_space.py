"""A space of networks that train in a second."""

import hwkeras as hw

space = hw.spaces.Image(
    input_shape=(8, 8, 1),
    num_classes=10,
    stages=2,
    layer_types=("conv", "separable_conv"),
    depths=(1,),
    widths=(8, 16),
    kernels=(3,),
    activations=("relu",),
    squeeze_excite=(False,),
    resolutions=(1,),
    dense_units=(0,),
    dropout_rates=(0.0,),
)
