from __future__ import annotations

import threading

import pytest

from solovirt.kit.offload import to_thread


async def test_it_runs_elsewhere_and_comes_back() -> None:
    assert await to_thread(threading.get_ident) != threading.get_ident()
    assert await to_thread(int, "12", base=8) == 10
    with pytest.raises(ValueError, match="invalid literal"):
        await to_thread(int, "x")
