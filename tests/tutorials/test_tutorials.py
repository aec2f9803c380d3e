"""Tutorials run, as scripts and as the notebooks generated from them."""

import pathlib
import subprocess
import sys

import pytest

TUTORIALS = sorted((pathlib.Path(__file__).resolve().parents[2] / "tutorials").glob("*.py"))


def test_there_are_tutorials():
    assert TUTORIALS


@pytest.mark.slow
@pytest.mark.parametrize("script", TUTORIALS, ids=lambda path: path.stem)
def test_the_script_runs(script, tmp_path):
    assert script.read_text().count("\n") < 150
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "chosen:" in done.stdout


# A notebook has the cells of its script, which ran: one shows that they run in a kernel, far from its data.
@pytest.mark.slow
@pytest.mark.parametrize("name", ["05_sensor"])
def test_the_notebook_runs(name, tmp_path, monkeypatch):
    import nbformat
    from nbclient import NotebookClient

    script = next(path for path in TUTORIALS if path.stem == name)
    # A notebook does not know where it lies.
    monkeypatch.setenv("HWKERAS_REPOSITORY", str(script.resolve().parents[1]))
    notebook = nbformat.read(script.with_suffix(".ipynb"), as_version=4)
    NotebookClient(notebook, kernel_name="python3", timeout=600, resources={"metadata": {"path": tmp_path}}).execute()
    printed = [o.get("text", "") for cell in notebook.cells for o in cell.get("outputs", [])]
    assert any("chosen:" in text for text in printed)


@pytest.mark.parametrize("script", TUTORIALS, ids=lambda path: path.stem)
def test_the_notebook_is_the_script(script):
    import jupytext

    notebook = jupytext.read(script.with_suffix(".ipynb"))
    wanted = jupytext.read(script)
    assert [(c.cell_type, c.source) for c in notebook.cells] == [(c.cell_type, c.source) for c in wanted.cells]
