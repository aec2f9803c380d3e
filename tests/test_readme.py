"""What README claims is run: every Python block, every command but the two of CI, every path."""

import os
import pathlib
import re
import shlex
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.S)
COMMANDS = re.findall(r"^(hwkeras [^#\n]+)", "\n".join(re.findall(r"```sh\n(.*?)```", README, flags=re.S)), flags=re.M)


def test_there_is_something_to_run():
    assert len(BLOCKS) == 3
    named = {shlex.split(command)[1] for command in COMMANDS}
    assert named == {
        *("search", "verify", "bench", "profile", "analyze", "compress", "lint-space", "stream", "devices"),
        *("boards", "report"),
    }


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_the_block_runs(number, tmp_path):
    path = tmp_path / "block.py"
    path.write_text(BLOCKS[number])
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, path], cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_is_understood(command):
    """Its options exist: `--help` after them is reached only when they parse."""
    from hwkeras.cli.main import main

    assert main([*shlex.split(command)[1:], "--help"]) == 0


def test_the_commands_of_ci_are_those_of_the_readme():
    script = (ROOT / ".ci" / "run").read_text()
    for promised in ("pip install ", 'pip install --quiet ".[dev]"', "hwkeras search --out", "\npytest\n"):
        assert promised in script
    first, second = re.findall(r"```sh\n(.*?)\n```", README, flags=re.S)[:2]
    assert first.endswith("pip install . && hwkeras search --out runs/first")
    assert second.endswith('pip install ".[dev]" && pytest')


def test_every_path_it_names_exists():
    for name in re.findall(r"`((?:tests|tutorials|hwkeras|tflite_bench)/[\w./-]*|[A-Z]+\.md)`", README):
        assert (ROOT / name).exists(), name


def test_every_room_is_on_the_floor_plan():
    rooms = {path.name for path in (ROOT / "hwkeras").iterdir() if path.is_dir() and not path.name.startswith("__")}
    plan = README[README.index("## Architecture") :]
    assert all(re.search(rf"^      {room}/ +\d", plan, flags=re.M) for room in rooms)
