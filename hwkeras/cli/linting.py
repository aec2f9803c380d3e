"""The command that tries out a search space: `lint-space`."""

from __future__ import annotations

import click

from hwkeras.cli.output import JsonOutput
from hwkeras.cli.own_space import load_space


@click.command("lint-space")
@click.argument("space")
@click.option("--samples", type=click.IntRange(1), default=20, show_default=True, help="Networks to draw.")
@click.option(
    "--precision", default="float32,float16,dynamic,int8", show_default=True, help="What each is converted to."
)
@click.option("--no-twins", is_flag=True, help="Leave out the tf_keras twins that compression needs.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else.")
def lint_space(space, samples, precision, no_twins, seed, as_json):
    """Draw networks from SPACE and check that each builds, converts, agrees and can be compressed.

    SPACE is FILE.py:NAME or MODULE:NAME: a hypermodel, a space, or a build(hp) function. The exit code is 1 where
    something was found.
    """
    with JsonOutput(as_json) as output:
        found = load_space(space)

        from hwkeras.convert import import_tensorflow

        import_tensorflow()
        from hwkeras.search.space_lint import lint_space as lint

        names = [name.strip() for name in precision.split(",")]
        report = lint(found, samples, precisions=names, twins=not no_twins, seed=seed)
        output.put(report.to_json())
        if not as_json:
            click.echo(str(report))
    return 0 if report.ok else 1
