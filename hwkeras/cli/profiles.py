"""`hwkeras boards`: the hardware profiles, devices that can be searched for without having them."""

from __future__ import annotations

import pathlib

import click

from hwkeras.cli.output import JsonOutput


@click.command()
@click.argument("names", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else.")
def boards(names, as_json):
    """The hardware profiles for `--device`; with NAMES (or profile files), every figure of theirs and its source."""
    with JsonOutput(as_json) as output:
        from hwkeras.hardware import load_profile
        from hwkeras.hardware import profile_names

        profiles = [load_profile(pathlib.Path(n) if n.endswith(".json") else n) for n in names or profile_names()]
        output.put({"profiles": [profile.to_json() for profile in profiles]})
        if not as_json:
            for profile in profiles:
                click.echo(_row(profile))
                for line in _figures(profile) if names else ():
                    click.echo(line)


def _row(profile):
    ram, flash = _room(profile.ram_bytes), _room(profile.flash_bytes)
    megahertz = f"{profile.clock_hz / 1e6:.4g} MHz"
    return (
        f"{profile.name:<21} {profile.kind:<15} RAM {ram:<9} flash {flash:<10} {profile.num_cores} x {megahertz:<9} "
        f"{','.join(profile.precisions)}  {profile.title}"
    )


def _room(num_bytes):
    from hwkeras.units import format_quantity

    is_large = num_bytes is not None and num_bytes >= 2**30
    return f"{num_bytes / 2**30:.4g} GiB" if is_large else format_quantity(num_bytes, "bytes")


def _figures(profile):
    for figure, entry in profile.to_json()["figures"].items():
        label = " (estimate)" if entry["estimated"] else ""
        yield f"  {figure}: {_shown(entry['value'])}{label}  [{entry['source']}]"


def _shown(value):
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(number)}" for key, number in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "-" if value is None else f"{value:,}" if isinstance(value, int | float) else str(value)
