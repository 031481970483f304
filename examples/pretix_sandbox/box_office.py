"""pretix's own settings, on a SQLite file whose requests wait for each other from their beginning.

pretix reads before it writes, in one transaction; SQLite refuses that at once when two requests do it. A box office
that sells to people runs pretix on PostgreSQL, as pretix asks, and needs none of this.
"""

from pretix.settings import *  # noqa: F403 - a settings module is its names
from pretix.settings import DATABASES

DATABASES["default"]["OPTIONS"] |= {"timeout": 30, "transaction_mode": "IMMEDIATE"}
