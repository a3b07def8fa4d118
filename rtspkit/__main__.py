"""``python -m rtspkit``: the same as the command ``rtspkit``."""

import sys

from rtspkit.cli.command import main

if __name__ == "__main__":
    sys.exit(main())
