"""`python -m tireid`."""

import sys

from tireid.cli import main

if __name__ == "__main__":
    sys.exit(main())
