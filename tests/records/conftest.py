"""Where the public sets were staged, for tests that read them."""

import os
from pathlib import Path

import pytest


@pytest.fixture
def data_root() -> Path:
    """The folder of public sets; without it the test says aloud what it did not check."""
    root = Path(os.environ.get("PRESCREEN_DATA_ROOT") or Path(__file__).parents[2] / "../shared/data")
    if not root.is_dir():
        pytest.skip(f"NOT CHECKED on real data: no folder {root}; set PRESCREEN_DATA_ROOT")
    return root
