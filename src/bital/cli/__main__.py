"""``python -m bital.cli`` is the ``bital`` command."""

import sys

from bital.cli import main

sys.exit(main())
