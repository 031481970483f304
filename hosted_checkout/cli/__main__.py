"""`python -m hosted_checkout.cli`, the same as `streampay-server`."""

import sys

from hosted_checkout.cli import main

sys.exit(main())
