"""What a search found, for a person: a table in the terminal, one HTML page with its picture."""

from hwkeras.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "architecture_svg": "hwkeras.report.drawing",
        "front_networks": "hwkeras.report.networks",
        "front_svg": "hwkeras.report.picture",
        "is_estimated": "hwkeras.report.results",
        "load_results": "hwkeras.report.results",
        "page_html": "hwkeras.report.page",
        "print_front": "hwkeras.report.table",
        "print_profile": "hwkeras.report.profile_bars",
        "profile_svg": "hwkeras.report.profile_bars",
        "write_page": "hwkeras.report.page",
    },
)
