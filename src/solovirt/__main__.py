"""``python -m solovirt`` is the ``solovirt`` command."""

import sys

from solovirt.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
