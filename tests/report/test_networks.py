"""The networks of the front: read from their bundles, drawn on the page and by the command; notes on the data."""

import json
import xml.etree.ElementTree as ElementTree

import pytest

from hwkeras.cli.main import main
from hwkeras.export.manifest import KIND
from hwkeras.export.manifest import SCHEMA
from hwkeras.report import front_networks
from hwkeras.report import page_html
from hwkeras.report import write_page
from hwkeras.space import Draft

SVG = "{http://www.w3.org/2000/svg}"


def network(filters):
    draft = Draft((8, 8, 1))
    draft.append("stem", "conv", filters=filters)
    draft.append("pool", "global_average_pool")
    draft.append_head(10)
    return draft.finish()


def write_manifest(folder, network, **changes):
    folder.mkdir(parents=True)
    content = {
        "kind": KIND, "schema": SCHEMA, "files": {}, "metrics": {}, "analysis": {}, "limits": [], "inputs": [],
        "outputs": [], "precision": "int8", "device": "local", "measurement": None,
        "architecture": network.to_json() if network else None,
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(content | changes))


@pytest.fixture
def run(results, tmp_path):
    """The document of a run whose front has two bundles, and its directory."""
    for entry in (*results["front"], results["best"]):
        entry["file"] = f"front/{entry['trial']}-{entry['precision']}/model.tflite"
    write_manifest(tmp_path / "front" / "00-int8", network(4))
    write_manifest(tmp_path / "front" / "01-int8", network(6))
    (tmp_path / "results.json").write_text(json.dumps(results))
    return results, tmp_path


def drawings(page):
    return [ElementTree.fromstring(f"<svg{piece.partition('</svg>')[0]}</svg>") for piece in page.split("<svg")[1:]]


def test_the_chosen_network_comes_first(run):
    results, directory = run
    assert front_networks(results, directory) == {("01", "int8"): network(6), ("00", "int8"): network(4)}


def test_the_page_draws_every_network_and_opens_the_chosen(run):
    results, directory = run
    page = write_page(results, directory / "report.html").read_text(encoding="utf-8")
    drawn = [drawing for drawing in drawings(page) if drawing.get("class") == "hwka"]
    assert [len(list(drawing.iter(f"{SVG}g"))) for drawing in drawn] == [1 + 4] * 2
    assert "6 filters, 3x3, relu" in "".join(drawn[0].itertext())
    before, chosen, rest = page.partition('<details class="drawing" open>')
    assert chosen and '<details class="drawing">' in rest and '<details class="drawing"' not in before
    assert rest.index("<summary>01 int8</summary>") < rest.index("<summary>00 int8</summary>")


def test_equal_networks_are_drawn_once(results):
    one = network(4)
    page = page_html(results, {("00", "int8"): one, ("00", "float32"): one})
    assert page.count('class="hwka"') == 1 and "<summary>00 int8, 00 float32</summary>" in page


def test_a_page_without_networks_says_nothing_of_them(results):
    assert "The networks" not in page_html(results)


def test_what_is_to_be_known_of_the_data_has_a_row_of_its_own(results):
    results["data"]["preprocessing"] = {"scale": 1.0, "notes": ["1 of 9 test <i>images</i> is twice.", "another"]}
    page = page_html(results)
    assert "<dt>Note on the data</dt><dd>1 of 9 test &lt;i&gt;images&lt;/i&gt; is twice.</dd>" in page
    assert page.count("<dt>Note on the data</dt>") == 2
    results["data"]["preprocessing"] = {"scale": 1.0}
    assert "Note on the data" not in page_html(results)


def test_bundles_that_cannot_be_read_are_passed_over(run):
    results, directory = run
    (directory / "front" / "00-int8" / "manifest.json").write_text("{")
    assert list(front_networks(results, directory)) == [("01", "int8")]
    for number, wrong in enumerate([None, {"format": 1, "layers": [{"name": "a"}]}, {"format": 1, "layers": 3}, "x"]):
        write_manifest(directory / "other" / str(number), None, architecture=wrong)
        results["front"][1]["file"] = f"other/{number}/model.tflite"
        assert front_networks(results, directory) == {}
    results["front"][1]["file"] = "nowhere/model.tflite"
    assert front_networks(results, directory) == {}
    assert "The networks" not in write_page(results, directory / "report.html").read_text(encoding="utf-8")


def test_the_command_writes_the_drawing_of_the_best(run, capfd):
    _, directory = run
    assert main(["report", str(directory), "--drawing", str(directory / "best.svg")]) == 0
    drawing = ElementTree.fromstring((directory / "best.svg").read_text(encoding="utf-8"))
    assert drawing.find(f"{SVG}title").text.startswith("01 int8: 4 layers, ")
    assert "The networks" in (directory / "report.html").read_text(encoding="utf-8")
    assert "report.html" in capfd.readouterr().out


def test_what_cannot_be_drawn_is_said(run, capfd):
    results, directory = run
    arguments = ["report", str(directory), "--drawing", str(directory / "best.svg")]
    (directory / "front" / "01-int8" / "manifest.json").unlink()
    assert main(arguments) == 2
    assert "is drawn from the bundle of the best candidate. Received: " in capfd.readouterr().err
    (directory / "results.json").write_text(json.dumps({**results, "front": [], "best": None}))
    assert main(arguments) == 2
    assert "where no candidate is within the limits. Leave --drawing away." in capfd.readouterr().err
    assert not (directory / "best.svg").exists()
