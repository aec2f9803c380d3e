"""Small matrices are multiplied by one thread: waking a second one costs more than it saves."""

from __future__ import annotations

import threading

from threadpoolctl import ThreadpoolController


class OneThread:
    """Context in which the linear algebra of numpy and scipy uses one thread, in the whole process.

    With a few hundred observations a proposal of `pareto` takes half as long so. And the order of the sums, and with it
    the last digits of a result, does not follow from the number of processors any more.

    May be entered again, and by several threads: the last one to leave gives the threads back.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._controller, self._limiter, self._depth = None, None, 0

    def __enter__(self):
        with self._lock:
            if not self._depth:
                # NOTE: looked up once, and not before the libraries are loaded; it takes some 15 ms.
                self._controller = self._controller or ThreadpoolController()
                self._limiter = self._controller.limit(limits=1, user_api="blas")
            self._depth += 1
        return self

    def __exit__(self, *error):
        with self._lock:
            self._depth -= 1
            if not self._depth:
                self._limiter.restore_original_limits()
                self._limiter = None


ONE_THREAD = OneThread()
