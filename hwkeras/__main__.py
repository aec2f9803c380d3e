"""`python -m hwkeras`."""

import sys

from hwkeras.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
