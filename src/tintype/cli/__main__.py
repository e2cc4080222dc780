"""``python -m tintype.cli`` is the command ``tintype``."""

import sys

from tintype.cli import main

sys.exit(main())
