import os
import subprocess
import sys
import warnings

import pytest

from hwkeras.convert import silenced


def _run(program):
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    return ran


def test_both_descriptors_are_caught_and_come_back():
    program = (
        "import os, ctypes\n"
        "from hwkeras.convert.silence import silenced\n"
        "print('before')\n"
        "with silenced() as chatter:\n"
        "    os.write(1, b'raw one;'); os.write(2, b'raw two;'); print('python;', end='')\n"
        "    ctypes.CDLL(None).puts(b'buffered in libc')\n"
        "print('after')\n"
        "assert 'raw one;raw two;' in chatter.text and 'python;' in chatter.text, chatter.text\n"
        "assert 'buffered in libc' in chatter.text, chatter.text\n"
    )
    ran = _run(program)
    assert ran.stdout.split() == ["before", "after"] and ran.stderr == ""


def test_an_exception_restores_the_descriptors_and_keeps_the_text():
    with pytest.raises(ValueError, match="inside"), silenced() as chatter:
        os.write(2, b"last words")
        raise ValueError("inside")
    assert chatter.text == "last words"


def test_blocks_nest():
    with silenced() as outer:
        os.write(1, b"a")
        with silenced() as inner:
            os.write(1, b"b")
        os.write(1, b"c")
    assert (inner.text, outer.text) == ("b", "ac")


def test_warnings_are_muted_inside_only():
    with silenced():
        warnings.warn("muted", UserWarning, stacklevel=1)
    with pytest.raises(UserWarning, match="loud"):
        warnings.warn("loud", UserWarning, stacklevel=1)


def test_a_process_without_stdout():
    program = (
        "import os\nos.close(1)\n"
        "from hwkeras.convert.silence import silenced\n"
        "with silenced() as chatter:\n    os.write(2, b'x')\n"
        "assert chatter.text == 'x', chatter.text\n"
    )
    _run(program)
