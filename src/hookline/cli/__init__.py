"""The one command, `hookline`."""

import sys


def main() -> None:
    """Run the command line. Without the `cli` extra, say so in a sentence."""
    try:
        from hookline.cli.app import run
    except ModuleNotFoundError as error:
        if error.name not in {"typer", "rich", "click"}:
            raise
        sys.exit("hookline: the command line needs more packages: pip install 'hookline[all]'")
    sys.exit(run(sys.argv[1:]))
