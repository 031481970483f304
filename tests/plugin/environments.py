"""Where shops live: this environment, or one of their own, for oscar and pretix take minutes to install.

Point STREAMPAY_TEST_OSCAR_PYTHON or STREAMPAY_TEST_PRETIX_PYTHON at a Python that has them; under --all an environment
is made under `.venv/shops`.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).parents[2]
SHOPS = ROOT / ".venv" / "shops"
WHAT = {
    "oscar": ["pytest", "requests>=2.32", "django-oscar[sorl-thumbnail]>=4.2,<5"],
    "pretix": ["pytest", "requests>=2.32", "pretix>=2026.8"],
}
INSTALL_TIMEOUT_S = 1_500  # pretix brings more than a hundred packages


def python_with(shop: str, engine_missing: Callable[[str, str], NoReturn]) -> Path:
    """Return a Python that has a shop: the one that was named, or one that is made for --all."""
    named = os.environ.get(f"STREAMPAY_TEST_{shop.upper()}_PYTHON")
    python = Path(named) if named else SHOPS / shop / "bin" / "python"
    if named or (SHOPS / shop / "ready").exists():
        return python
    if os.environ.get("STREAMPAY_TEST_ALL") != "1":
        engine_missing(shop, f"run with --all, or set STREAMPAY_TEST_{shop.upper()}_PYTHON")
    subprocess.run([sys.executable, "-m", "venv", str(SHOPS / shop)], check=True)
    install = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *WHAT[shop]]
    if subprocess.run(install, check=False, timeout=INSTALL_TIMEOUT_S).returncode != 0:
        engine_missing(shop, "pip could not install it")
    (SHOPS / shop / "ready").touch()
    return python


def lay_out_sdk(folder: Path) -> Path:
    """Lay out a copy of the SDK as if it were installed: pretix finds plugins by their entry points."""
    shutil.copytree(ROOT / "sdk" / "streampay", folder / "streampay")
    info = folder / "streampay_extras-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: streampay-extras\nVersion: 0\n")
    (info / "entry_points.txt").write_text("[pretix.plugin]\nstreampay = streampay.adapters.pretix\n")
    return folder
