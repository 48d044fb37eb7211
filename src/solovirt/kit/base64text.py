"""Base64 as Go reads it (Kubernetes' ``[]byte`` fields): standard alphabet, padding needed, line breaks ignored."""

from __future__ import annotations

import base64
import binascii


def decoded_base64(text: str) -> bytes | None:
    """The bytes, or None if ``text`` is not base64."""
    try:
        return base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        return None
