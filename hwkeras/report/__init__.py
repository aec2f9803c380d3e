"""What a search found, for a person: a table in the terminal, one HTML page with its picture."""

import importlib

_HOMES = {
    "front_svg": "hwkeras.report.picture",
    "load_results": "hwkeras.report.results",
    "page_html": "hwkeras.report.page",
    "print_front": "hwkeras.report.table",
    "write_page": "hwkeras.report.page",
}
__all__ = sorted(_HOMES)


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
