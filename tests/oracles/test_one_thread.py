"""Linear algebra on one thread, and the threads given back."""

import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info
from threadpoolctl import threadpool_limits

from hwkeras.oracles.one_thread import OneThread


def num_threads():
    """The threads of each library of linear algebra."""
    found = [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]
    assert found
    return set(found)


@pytest.fixture(autouse=True)
def three_threads():
    np.ones((2, 2)) @ np.ones((2, 2))
    with threadpool_limits(3, user_api="blas"):
        yield


def test_one_within_and_all_of_them_after():
    with OneThread():
        assert num_threads() == {1}
    assert num_threads() == {3}


def test_an_error_gives_them_back():
    with pytest.raises(ZeroDivisionError), OneThread():
        raise ZeroDivisionError
    assert num_threads() == {3}


def test_the_last_of_several_threads_to_leave_gives_them_back():
    context, has_left = OneThread(), threading.Event()
    with context:
        other = threading.Thread(target=lambda: context.__enter__() and has_left.set())
        other.start()
        other.join()
        assert has_left.is_set()
    assert num_threads() == {1}
    context.__exit__()
    assert num_threads() == {3}


def test_it_may_be_entered_again():
    context = OneThread()
    for _ in range(2):
        with context, context:
            assert num_threads() == {1}
        assert num_threads() == {3}
