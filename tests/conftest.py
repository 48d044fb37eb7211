"""How Hypothesis works here: the same examples each time, however slow the machine is.

A run says whether this commit is right; luck has no part in it. Whoever hunts for more sets
``SOLOVIRT_TEST_PROFILE=search``.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "same", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=2000)
settings.load_profile(os.environ.get("SOLOVIRT_TEST_PROFILE", "same"))
