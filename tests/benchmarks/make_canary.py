"""Makes the canaries of `tflite_bench`, the small networks that take turns with every model that is timed.

python tests/benchmarks/make_canary.py [--out tflite_bench]

`canary.tflite`: two 3x3 convolutions in float32, 2.8 million multiply-accumulates in 12 KB, some 75 us on a server core
and a few ms on a small board. Its time follows the clock of the core. `canary_int8.tflite`: one in int8, 4 KB. It shows
what the first does not: a neighbor on the other half of the core that slows int8 models by half and float32 ones by a
tenth. They were made once. Made again their weights differ, and with them their hashes, which is how results tell what
they were gated by.
"""

import argparse
import pathlib

from hwkeras.convert import convert_untrained
from hwkeras.convert import import_tensorflow
from hwkeras.files import write_atomically

OUT = pathlib.Path(__file__).resolve().parents[2] / "tflite_bench"


def main():
    """Writes the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=OUT)
    out = parser.parse_args().out
    import_tensorflow()
    _write(out / "canary.tflite", "float32", channels=3, filters=(16, 16))
    _write(out / "canary_int8.tflite", "int8", channels=8, filters=(32,))


def _write(path, precision, channels, filters):
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    convolutions = [layers.Conv2D(width, 3, padding="same", activation="relu") for width in filters]
    model = keras.Sequential([keras.Input((32, 32, channels)), *convolutions, layers.GlobalAveragePooling2D()])
    write_atomically(path, convert_untrained(model, (precision,))[precision])
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
