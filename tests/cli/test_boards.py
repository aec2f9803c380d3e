"""Boards that are not here: the list of profiles, and a search for one of them."""

import json
import pathlib

import pytest

from hwkeras.cli.main import main
from hwkeras.hardware import load_profile
from hwkeras.hardware import profile_names

SPACE = pathlib.Path(__file__).with_name("tiny_space.py")


def test_every_profile_is_listed(capfd):
    assert main(["boards", "--json"]) == 0
    assert [profile["name"] for profile in json.loads(capfd.readouterr().out)["profiles"]] == list(profile_names())
    assert len(profile_names()) >= 20
    assert main(["boards"]) == 0
    assert "stm32f746" in capfd.readouterr().out


def test_a_named_profile_tells_the_source_of_each_figure(capfd):
    assert main(["boards", "stm32f746"]) == 0
    printed = capfd.readouterr().out
    assert all(source in printed for source in load_profile("stm32f746").sources.values())


def test_an_unknown_board_is_told(capfd):
    assert main(["boards", "toaster"]) == 2
    assert "A profile is one of" in capfd.readouterr().err


@pytest.mark.slow
def test_a_search_for_a_board_says_that_it_estimates(tmp_path, capfd):
    out = tmp_path / "run"
    command = ["search", "digits", "--space", f"{SPACE}:space", "--device", "stm32f446", "--trials", "1"]
    assert main([*command, "--epochs", "1", "--out", str(out), "--json"]) == 0
    captured = capfd.readouterr()
    document = json.loads(captured.out)
    assert {member["measurement"]["source"] for member in document["front"]} == {"estimated"}
    board = load_profile("stm32f446")
    for member in document["front"]:
        assert member["metrics"]["size_bytes"] < board.flash_bytes
        assert member["metrics"]["peak_ram_bytes"] < board.ram_bytes
    assert {limit.partition("=")[0] for limit in document["limits"]} == {"size", "peak_ram"}
    assert "ms (estimated)" in captured.err
    page = (out / "report.html").read_text()
    assert "Latency (estimated)" in page and "Estimated, not measured" in page
    assert main(["verify", str(pathlib.Path(document["front"][0]["file"]).parent), "--json"]) == 0


@pytest.mark.slow
def test_a_search_with_two_threads(tmp_path, capfd):
    command = ["search", "digits", "--space", f"{SPACE}:space", "--threads", "2", "--trials", "1", "--epochs", "1"]
    assert main([*command, "--precision", "int8", "--out", str(tmp_path / "run"), "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert document["best"]["measurement"]["num_threads"] == 2
    assert document["profile"]["by_layer"] and "Where the time goes" in (tmp_path / "run" / "report.html").read_text()
