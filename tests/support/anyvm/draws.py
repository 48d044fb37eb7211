"""Drawing JSON objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from hypothesis import strategies as st

from solovirt.kit.jsontypes import JsonObject

Fields = Mapping[str, st.SearchStrategy[object]]
flag = st.booleans()


def fields(required: Fields, *, optional: Fields | None = None) -> st.SearchStrategy[JsonObject]:
    """An object with all of ``required`` and any of ``optional``. What they draw must be JSON values."""
    whole = st.fixed_dictionaries(dict(required), optional=dict(optional or {}))
    return whole.map(lambda drawn: cast(JsonObject, drawn))
