"""The page: one file, well formed, with every number of the document, safe with any name."""

import html.parser
import re
import xml.etree.ElementTree as ElementTree

import pytest

from hwkeras.report import page_html
from hwkeras.report import write_page

VOID = {"meta", "br", "link", "img", "hr", "input"}


class Page(html.parser.HTMLParser):
    """Reads a page: tags must close in order; keeps texts, rows of tables and attributes."""

    def __init__(self, text):
        super().__init__()
        self.open, self.texts, self.tags, self.attributes, self.rows = [], [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == [], f"not closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        self.texts.append(data)
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


def test_every_member_of_the_front_is_in_it(results):
    page = Page(page_html(results))
    rows = [row for row in page.rows if row and row[0].startswith("0")]
    expected = ["01best", "int8", "0.9375", "0.1875 ms", "4 KiB", "2 KiB", "123.5 k", "789"]
    assert [*expected, "conv16k3s2 | global_pool | dense10", "trial_01/int8.tflite"] in rows
    assert [row[:4] for row in rows[:2]] == [["00", "int8", "0.8125", "0.0625 ms"], expected[:4]]
    assert len(rows) == 2 + 5


def test_candidates_that_failed_say_why(results):
    (row,) = [row for row in Page(page_html(results)).rows if row[:1] == ["02"]]
    assert row[2:4] == ["0.5000", "-"] and "timeout" in row
    assert "Not drawn for want of one of the two numbers: 1 of 5." in page_html(results)


def test_the_picture_in_it_is_valid_and_the_documents(results):
    (svg,) = re.findall(r"<svg.*?</svg>", page_html(results), re.DOTALL)
    numbers = {
        (float(group.get("data-x")), float(group.get("data-y")))
        for group in ElementTree.fromstring(svg).iterfind(".//{http://www.w3.org/2000/svg}g[@data-x]")
    }
    assert {(0.0625, 0.8125), (0.1875, 0.9375)} <= numbers


def test_settings_and_summary_are_told(results):
    page = Page(page_html(results))
    for text in ("evolution", "size=60KiB, latency=0.9ms", "8f3a91c2", "3 min 07 s", "runs/a", "Data: num classes"):
        assert text in page.texts
    assert "3 trials, 1 proposal rejected before training, 2 on the front, 3 min 07 s" in page.texts


def test_the_device_that_measured_is_told(results):
    results["meter"] = {"device": "local", "cpu": "Cortex-A72", "runtime": "ai_edge_litert", "runtime_version": "2.3.0"}
    results["data"] = {"name": "", "class_names": [], "preprocessing": {}}
    results["data_fingerprint"] = "77aa"
    texts = Page(page_html(results)).texts
    assert {"Processor", "Cortex-A72", "Runtime", "ai_edge_litert 2.3.0", "Data: fingerprint", "77aa"} <= set(texts)
    assert not {"Data: name", "Data: class names", "Data: preprocessing"} & set(texts)


def test_nothing_is_loaded_from_elsewhere(results):
    text = page_html(results)
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "base", "form"} & set(page.tags)
    assert not {name for name, _ in page.attributes} & {"src", "href", "action", "srcset", "onclick", "onload"}
    assert "url(" not in text and "@import" not in text
    assert set(re.findall(r"https?://[^\s\"'<]+", text)) == {"http://www.w3.org/2000/svg"}


def test_evil_names_are_text(results):
    evil = "</style><script>alert('x')</script>\"&<b>"
    for entry in (results["front"][0], results["candidates"][0]):
        entry.update(trial=evil, precision=evil, architecture=evil, file=evil, status=evil)
    results.update(name=evil, space=evil, out=evil, data={evil: evil}, best=results["front"][0], device=evil)
    text = page_html(results)
    page = Page(text)
    assert "script" not in page.tags and "b" not in page.tags
    assert page.texts.count(evil) >= 5


def test_an_evil_objective_is_text(results):
    results["objectives"] = ["accuracy", "<script>:min"]
    assert "<script" not in page_html(results)


def test_an_empty_front_is_explained(results):
    results.update(front=[], best=None)
    page = Page(page_html(results))
    assert any("The front is empty" in text for text in page.texts)
    assert "svg" in page.tags


def test_one_point_makes_a_page(results):
    results.update(front=results["front"][:1], candidates=results["front"][:1], best=results["front"][0], limits=[])
    assert "none" in Page(page_html(results)).texts


def test_a_run_that_found_nothing_makes_a_page(results):
    least = {"schema": 1, "front": [], "best": None, "candidates": []}
    page = Page(page_html(least))
    assert "hwkeras search" in page.texts
    assert "hwkeras search on digits" in Page(page_html({**least, "data": {"name": "digits"}})).texts
    assert not any("The table of all candidates" in text for text in page.texts)


@pytest.mark.parametrize(
    ("objectives", "captions"),
    [
        (["accuracy", "latency_ms", "size_bytes"], ["Accuracy against latency.", "Accuracy against size."]),
        (["latency_ms", "size_bytes"], ["Latency against size."]),
        (["accuracy"], ["Accuracy against latency."]),
        (["val_auc:max", "latency_ms"], ["val_auc against latency."]),
    ],
)
def test_there_is_a_picture_for_each_other_objective(results, objectives, captions):
    results["objectives"] = objectives
    text = page_html(results)
    assert [caption for caption in re.findall(r"<figcaption>(.*? against \w+\.)", text)] == captions


def test_the_page_is_written(results, tmp_path):
    path = write_page(results, tmp_path / "deep" / "report.html")
    assert path.read_text(encoding="utf-8") == page_html(results)
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_names_are_lazy_and_complete():
    import hwkeras.report as room

    assert all(callable(getattr(room, name)) for name in room.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        room.nothing  # noqa: B018
