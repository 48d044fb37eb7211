"""What ``/version`` says: the Kubernetes and KubeVirt API levels that this server speaks.

Clients compare these numbers (helm's kubeVersion, virtctl's skew warning); solovirt's own version is build metadata.
"""

from __future__ import annotations

import platform

from solovirt import __version__
from solovirt.kit.json import JsonObject

KUBERNETES_MINOR = 36
KUBEVIRT = "v1.9.0"


def kubernetes() -> JsonObject:
    return {"major": "1", "minor": str(KUBERNETES_MINOR), **_build(f"v1.{KUBERNETES_MINOR}.0")}


def kubevirt() -> JsonObject:
    return _build(KUBEVIRT)


def _build(level: str) -> JsonObject:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return {
        "gitVersion": f"{level}+solovirt.{__version__}",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": platform.python_implementation().lower(),
        "platform": f"linux/{machine}",
    }
