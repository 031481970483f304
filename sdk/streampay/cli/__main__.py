"""`python -m streampay.cli`."""

import sys

from streampay.cli import main

sys.exit(main())
