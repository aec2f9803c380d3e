"""How near the operators' times come to the latency, by both methods: ResNet-8 and MobileNetV2, float32 and int8.

python tests/benchmarks/bench_profile.py [--threads 1] [--resnet FOLDER]
"""

import argparse
import pathlib

import hwkeras.measure.op_profile
from hwkeras.convert import convert_untrained
from hwkeras.convert import import_tensorflow

RESNET = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data" / "tflite" / "mlperf_tiny"
WITHIN = 0.15


def files(folder):
    """Names and bytes; ResNet-8 only where MLPerf Tiny's reference files are."""
    for name in ("pretrainedResnet.tflite", "pretrainedResnet_quant.tflite"):
        if (folder / name).exists():
            yield name, (folder / name).read_bytes()
    import_tensorflow()
    import keras

    model = keras.applications.MobileNetV2((96, 96, 3), alpha=0.35, weights=None, classes=10)
    for precision, flatbuffer in convert_untrained(model, ("float32", "int8")).items():
        yield f"MobileNetV2 0.35@96 {precision}", flatbuffer


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--resnet", type=pathlib.Path, default=RESNET)
    arguments = parser.parse_args()
    for name, flatbuffer in files(arguments.resnet):
        for method in ("profiler", "difference"):
            found = hwkeras.measure.op_profile.profile(flatbuffer, num_threads=arguments.threads, method=method)
            verdict = "ok" if abs(found.coverage - 1.0) <= WITHIN else "FAR"
            print(
                f"{name:32s} {method:10s} latency {found.latency_ms:.4f} ms, {len(found.ops):3d} operators "
                f"{found.total_ms:.4f} ms, coverage {found.coverage:.3f} {verdict}  {found.message}"
            )


if __name__ == "__main__":
    main()
