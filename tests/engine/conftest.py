from __future__ import annotations

import pytest

from tests.fakes import with_toy_nodes


@pytest.fixture
def toy() -> None:
    with_toy_nodes()
