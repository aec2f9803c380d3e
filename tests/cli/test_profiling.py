"""`hwkeras profile`: one document, one picture, and whose fault it is."""

import json
import shutil

import keras
import pytest

from hwkeras.cli.output import run
from hwkeras.cli.profiling import profile
from hwkeras.testing.tiny_models import tiny_cnn


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    from hwkeras.convert import convert
    from hwkeras.export.bundle import write_bundle
    from hwkeras.export.source import BundleSource

    keras.utils.clear_session()
    model = tiny_cnn(input_shape=(16, 16, 3))
    source = BundleSource(
        flatbuffer=convert(model, "float32").flatbuffer, precision="float32", model=model, device="local"
    )
    return write_bundle(tmp_path_factory.mktemp("profile") / "bundle", source)


def test_a_bundle_names_its_layers(bundle, tmp_path, capfd):
    picture = tmp_path / "bars.svg"
    assert run(profile, [str(bundle), "--method", "difference", "--svg", str(picture), "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert document["file"].endswith("model.tflite") and document["svg"] == str(picture)
    assert document["method"] == "difference" and document["coverage"] > 0
    assert sum(op["share"] for op in document["ops"]) == pytest.approx(1.0)
    assert [op["op"] for op in document["ops"]] == [
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "MEAN",
        "FULLY_CONNECTED",
        "SOFTMAX",
    ]
    assert [op["layer"] for op in document["ops"]] == ["convolution", "depthwise", "pooling", "classes", "classes"]
    assert picture.read_text().startswith("<svg") and "depthwise" in picture.read_text()


def test_a_file_of_its_own_has_a_table(bundle, tmp_path, capfd):
    file = shutil.copy(bundle / "model.tflite", tmp_path / "other.tflite")
    assert run(profile, [str(file), "--top", "2", "--threads", "2"]) == 0
    printed = " ".join(capfd.readouterr().out.split())
    assert "Operator" in printed and "CONV_2D" in printed and "2 threads" in printed and "on local" in printed
    assert run(profile, [str(file), "--keras", str(bundle / "model.keras"), "--method", "difference"]) == 0
    assert "convolution" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["absent.tflite"], "A model is a .tflite file. Received: absent.tflite, which does not exist."),
        (["{bundle}", "--keras", "absent.keras"], "named by a .keras file. Received: absent.keras, which does"),
        (["{bundle}", "--keras", "{bundle}/manifest.json"], "A .keras file must load. Received: "),
        (["{bundle}", "--svg", "absent/bars.svg"], "into a folder that exists. Received: --svg absent/bars.svg. Make"),
        (["{bundle}", "--method", "guess"], "'guess' is not one of 'auto', 'profiler', 'difference'"),
        (["{bundle}", "--device", "nowhere"], "nowhere"),
        (["{bundle}/manifest.json"], "A `.tflite` file has the identifier"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_exit_2(bundle, capfd, arguments, told):
    assert run(profile, [argument.format(bundle=bundle) for argument in arguments]) == 2
    out, err = capfd.readouterr()
    assert out == "" and told in err and len(err.strip().splitlines()) == 1


def test_a_bundle_whose_file_was_replaced_names_no_layers(bundle, tmp_path, capfd):
    changed = shutil.copytree(bundle, tmp_path / "bundle")
    content = (changed / "model.tflite").read_bytes()
    (changed / "model.tflite").write_bytes(content + b"\0")
    assert run(profile, [str(changed), "--method", "difference", "--json"]) == 0
    assert {op["layer"] for op in json.loads(capfd.readouterr().out)["ops"]} == {None}
