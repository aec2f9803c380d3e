"""The command: one JSON line and nothing else on stdout, wherever it runs from."""

import ctypes
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

import tflite_bench
from tflite_bench import __main__ as command
from tflite_bench import runtimes

FOLDER = pathlib.Path(tflite_bench.__file__).resolve().parent


def test_folder_copied_anywhere_answers_one_line(model_path, tmp_path):
    shutil.copytree(FOLDER, tmp_path / "device" / "tflite_bench")
    job = {"version": 1, "models": [str(model_path), "/nowhere"], "burst_ms": 1, "gap_ms": 0, "max_rounds": 3}
    done = subprocess.run(
        [sys.executable, str(tmp_path / "device" / "tflite_bench"), "--job", "-"],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    good, missing = json.loads(line)["models"]
    assert len(good["rounds"]) == 3
    assert missing["error"].startswith("FileNotFoundError")


def test_stays_free_of_everything_heavy(model_path):
    source = (
        "import sys; from tflite_bench.__main__ import main; "
        f"main(['--json', {str(model_path)!r}]); "
        "print(sorted({name.partition('.')[0] for name in sys.modules} "
        "& {'hwkeras', 'keras', 'tensorflow', 'scipy'}))"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, cwd=FOLDER.parent, check=True)
    assert done.stdout.splitlines()[1] == "[]"


def test_job_file(model_path, tmp_path, capfd):
    path = tmp_path / "job.json"
    path.write_text(json.dumps({"version": 1, "models": [str(model_path)], "burst_ms": 1, "gap_ms": 0}))
    assert command.main(["--job", str(path)]) == 0
    assert json.loads(capfd.readouterr().out)["models"][0]["path"] == str(model_path)


def test_table(model_path, capfd):
    assert command.main([str(model_path), "--threads", "2"]) == 0
    header, row, environment = capfd.readouterr().out.splitlines()
    assert header.split() == ["model", "best", "ms", "median", "ms", "p90", "ms", "rounds", "parts"]
    assert row.split()[0] == str(model_path) and float(row.split()[1]) > 0
    assert environment.startswith("ai_edge_litert ") and "2 threads" in environment


def test_table_tells_a_refused_model_by_its_exit_code(model_path, capfd):
    assert command.main([str(model_path), "/nowhere"]) == 2
    assert "FileNotFoundError" in capfd.readouterr().out


def test_native_chatter_goes_to_stderr(capfd):
    with command._stdout_kept_for_the_answer() as stdout:
        os.write(1, b"native\n")
        ctypes.CDLL(None).printf(b"buffered\n")
        print("python")
        print("answer", file=stdout)
    print("afterwards")
    out, err = capfd.readouterr()
    assert out == "answer\nafterwards\n"
    assert sorted(err.split()) == ["buffered", "native", "python"]


def test_caller_that_took_stdout(capsys):
    assert command.main(["--job", "/nowhere"]) == 2
    with command._stdout_kept_for_the_answer() as stdout:
        print("python")
        print("answer", file=stdout)
    assert capsys.readouterr().out == "answer\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "At least one model is needed. Received: none."),
        (["a.tflite", "--rounds", "2"], "`rounds` must be an integer of at least 3. Received: rounds=2."),
        (["a.tflite", "--job", "-"], "The models are named in the job. Received: --job and 'a.tflite'."),
        (["--job", "/nowhere"], "A job file must be readable. Received: '/nowhere' (No such file or directory)."),
    ],
)
def test_wrong_arguments(arguments, message, capfd):
    assert command.main(arguments) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert message in err and len(err.splitlines()) == 1


@pytest.mark.parametrize("text", ["{", "[" * 100_000, '{"version": 3}', "\udcff"])
def test_job_that_cannot_be_read(text, tmp_path, capfd):
    path = tmp_path / "job.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert command.main(["--job", str(path)]) == 2
    assert "Received: " in capfd.readouterr().err


def test_no_runtime(monkeypatch, model_path, capfd):
    monkeypatch.setattr(runtimes, "_CANDIDATES", ())
    assert command.main([str(model_path)]) == 4
    assert "A TFLite runtime must be installed" in capfd.readouterr().err
