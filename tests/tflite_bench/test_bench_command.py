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
from tflite_bench.lock import device_lock
from tflite_bench.streams import stdout_kept_for_the_answer

FOLDER = pathlib.Path(tflite_bench.__file__).resolve().parent
QUICK = {"version": 2, "burst_ms": 0, "bursts": 1, "gap_ms": 0, "max_rounds": 3, "canary": False}
FLAGS = ["--max-rounds", "3", "--no-canary"]


def test_folder_copied_anywhere_answers_one_line(bench, model_path, tmp_path):
    folder = tmp_path / "device" / "bench of mine" / "tflite_bench"
    folder.mkdir(parents=True)
    for path in [*FOLDER.glob("*.py"), *FOLDER.glob("canary*.tflite")]:
        shutil.copy(path, folder)
    job = {**QUICK, "models": [str(model_path), "/nowhere"], "canary": True, "max_seconds": 2}
    completed = bench("--job", "-", job=job, folder=folder, cwd=tmp_path)
    assert completed.returncode == 0, completed.stderr
    (line,) = completed.stdout.splitlines()
    good, missing = json.loads(line)["models"]
    assert good["status"] == "ok" and good["rounds"]
    assert missing["status"] == "error" and missing["error"].startswith("FileNotFoundError")
    assert json.loads(line)["canary"]["best_ms"] > 0


def test_the_parent_stays_free_of_everything_heavy(model_path):
    source = (
        "import sys; from tflite_bench.__main__ import main; "
        f"main(['--json', {str(model_path)!r}, '--max-rounds', '3', '--no-canary']); "
        "print(sorted({name.partition('.')[0] for name in sys.modules} "
        "& {'hwkeras', 'keras', 'tensorflow', 'scipy', 'numpy', 'ai_edge_litert'}))"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, cwd=FOLDER.parent, check=True)
    assert done.stdout.splitlines()[1] == "[]"


def test_the_timing_stays_free_of_what_is_not_on_a_device():
    source = (
        "import sys; import tflite_bench.runner; "
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'hwkeras', 'keras', 'tensorflow', 'scipy'}))"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, cwd=FOLDER.parent, check=True)
    assert done.stdout == "[]\n"


def test_job_file(model_path, tmp_path, capfd):
    path = tmp_path / "job.json"
    path.write_text(json.dumps({**QUICK, "models": [str(model_path)]}))
    assert command.main(["--job", str(path)]) == 0
    (line,) = capfd.readouterr().out.splitlines()
    assert json.loads(line)["models"][0]["path"] == str(model_path)


def test_models_that_crash_are_results(bench, made_up_runtime, files):
    completed = bench("--job", "-", job={**QUICK, "models": files(b"SIGKILL", b"good", b"chatter")})
    assert completed.returncode == 0, completed.stderr
    (line,) = completed.stdout.splitlines()
    assert [model["status"] for model in json.loads(line)["models"]] == ["crashed:SIGKILL", "ok", "ok"]


def test_options_reach_the_job(bench, made_up_runtime, files, tmp_path):
    (path,) = files(b"good")
    cpu = max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    completed = bench(
        path, "--json", "--threads", "2", "--rounds", "4", "--max-rounds", "4", "--seed", "3", "--warmup", "0",
        "--lock", str(tmp_path / "lock"), "--no-canary", "--memory-limit", str(1 << 30), "--max-seconds", "20",
        "--model-seconds", "10", "--agree-within", "0.5", *(() if cpu is None else ("--affinity", str(cpu))),
    )  # fmt: skip
    assert completed.returncode == 0, completed.stderr
    answer = json.loads(completed.stdout)
    assert answer["num_threads"] == 2 and answer["canary"] is None and (tmp_path / "lock").exists()
    assert len(answer["models"][0]["rounds"]) == 4
    assert answer["environment"]["affinity"] == (None if cpu is None else [cpu])


def test_more_rounds_than_the_default_most(made_up_runtime, files, capfd):
    assert command.main([*files(b"good"), "--json", "--rounds", "14", "--no-canary"]) == 0
    assert len(json.loads(capfd.readouterr().out)["models"][0]["rounds"]) >= 14


def test_table(model_path, capfd):
    assert command.main([str(model_path), "--threads", "2", *FLAGS]) == 0
    header, row, environment = capfd.readouterr().out.splitlines()
    assert header.split() == ["model", "ms", "least", "median", "p90", "rounds", "parts"]
    name, headline, least, median, p90, rounds, parts = row.split()
    assert name == str(model_path) and (rounds, parts) == ("3", "1")
    assert 0 < float(least) <= float(headline) and float(least) <= float(median) <= float(p90)
    assert environment.startswith("ai_edge_litert ") and "2 threads" in environment


def test_table_tells_a_model_without_a_latency_by_its_exit_code(made_up_runtime, files, capfd):
    assert command.main([*files(b"good", b"SIGKILL", b"refused"), *FLAGS]) == 2
    _, good, crashed, refused, _ = capfd.readouterr().out.splitlines()
    assert "crashed:SIGKILL: Ended by SIGKILL." in crashed
    assert "error: ValueError: not a model" in refused and "crashed" not in good


def test_a_device_that_is_taken(bench, made_up_runtime, files, tmp_path):
    lock = str(tmp_path / "lock")
    with device_lock(lock, 0):
        completed = bench("--job", "-", job={**QUICK, "models": files(b"good"), "lock": lock, "lock_seconds": 0.1})
    assert completed.returncode == 4 and completed.stdout == ""
    assert completed.stderr == (
        f"tflite-bench: The device must be free. Received: another job held {lock} for 0.1 s. Wait for it to end, "
        "or raise `lock_seconds`.\n"
    )


def test_profile_prints_one_line(bench, model_path, tmp_path):
    completed = bench("--profile", str(model_path), "--threads", "1", cwd=tmp_path)
    assert completed.returncode == 0, completed.stderr
    (line,) = completed.stdout.splitlines()
    assert json.loads(line)["version"] == 1 and json.loads(line)["num_threads"] == 1


def test_a_profile_that_fails_is_one_line(monkeypatch, capsys):
    def fail(path, num_threads, seed, lock):
        raise FileNotFoundError(path)

    monkeypatch.setattr("tflite_bench.profiling.profile_model", fail)
    assert command.main(["--profile", "none.tflite"]) == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", "tflite-bench: The model must run. Received: FileNotFoundError: none.tflite\n")


def test_native_chatter_goes_to_stderr(capfd):
    with stdout_kept_for_the_answer() as stdout:
        os.write(1, b"native\n")
        ctypes.CDLL(None).printf(b"buffered\n")
        print("python")
        print("answer", file=stdout)
    print("afterwards")
    out, err = capfd.readouterr()
    assert out == "answer\nafterwards\n"
    assert sorted(err.split()) == ["buffered", "native", "python"]


def test_caller_that_took_stdout(capsys):
    with stdout_kept_for_the_answer() as stdout:
        print("python")
        print("answer", file=stdout)
    assert capsys.readouterr().out == "answer\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "At least one model is needed. Received: none. Pass the path of a .tflite file."),
        (["a.tflite", "--rounds", "2"], "`rounds` must be an integer of at least 3. Received: rounds=2."),
        (["a", "--job", "-"], "The models are named in the job. Received: --job and 'a'. Pass one of them."),
        (["--job", "/nowhere"], "A job file must be readable. Received: '/nowhere' (No such file or directory)."),
        (["a", "--affinity", "x"], "`--affinity` is CPU numbers with commas between. Received: 'x'. Pass 0 or 2,3."),
        (["--profile", "a", "b"], "A profile is of one model. Received: --profile and 'b'. Pass one of them."),
        (["--profile", "a", "--job", "-"], "A profile is of one model. Received: --profile and --job."),
    ],
)
def test_wrong_arguments(arguments, message, capfd):
    assert command.main(arguments) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith(f"tflite-bench: {message}") and len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "A job is a JSON object. Received: Expecting property name"),
        ("[" * 100_000, "A job is a JSON object. Received: "),
        ("\udcff", "A job is a JSON object. Received: 'utf-8' codec"),
        ("[]", "A job is a JSON object. Received: list."),
        ('{"version": 1, "models": []}', "`version` must be 2. Received: version=1."),
    ],
)
def test_job_that_cannot_be_read(text, message, tmp_path, capfd):
    path = tmp_path / "job.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert command.main(["--job", str(path)]) == 2
    assert capfd.readouterr().err.startswith(f"tflite-bench: {message}")


def test_no_runtime(monkeypatch, tmp_path, files, capfd):
    for name in ("ai_edge_litert", "tflite_runtime", "tensorflow"):
        (tmp_path / "empty" / name).mkdir(parents=True)
        (tmp_path / "empty" / name / "__init__.py").write_text("raise ImportError('not for this CPU')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "empty"))
    assert command.main(files(b"good")) == 4
    out, err = capfd.readouterr()
    assert out == "" and "A TFLite runtime must be installed. Received: none." in err
    assert "ai_edge_litert: not for this CPU" in err and len(err.splitlines()) == 1
