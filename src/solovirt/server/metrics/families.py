"""Samples gathered into families, and their text (Prometheus' text format 0.0.4). The only module that knows
prometheus-client, which is imported at the first scrape.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from solovirt.kit.text import printable
from solovirt.server.metrics.catalogue import METRICS

if TYPE_CHECKING:
    from prometheus_client import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MAX_LABEL = 1024
"""Characters of a label's value: guests and manifests choose some of them."""
_NOT_A_LABEL = re.compile(r"[^a-zA-Z0-9_]")


class Families:
    """Metrics by name; what has no sample is left out, as Prometheus does."""

    def __init__(self) -> None:
        self._found: dict[str, Metric] = {}
        self._samples: set[tuple[str, frozenset[tuple[str, str]]]] = set()

    def add(self, name: str, labels: Mapping[str, str], value: float | None) -> None:
        """One sample. Labels that are empty count as absent; None is no sample.

        The first of those with the same labels counts, once cleaned: guests choose some, and Prometheus takes no two.
        """
        if value is None:
            return
        clean = _clean(labels)
        sample = (name, frozenset(clean.items()))
        if sample not in self._samples:
            self._samples.add(sample)
            self._family(name).add_sample(name, clean, float(value))

    def add_histogram(
        self, name: str, labels: Mapping[str, str], bounds: Sequence[float], counts: Sequence[int], total: float
    ) -> None:
        """``counts`` has one entry more than ``bounds``, each for its own bucket alone."""
        family, clean, so_far = self._family(name), _clean(labels), 0
        for bound, count in zip([*map(_number, bounds), "+Inf"], counts, strict=True):
            so_far += count
            family.add_sample(f"{name}_bucket", {**clean, "le": bound}, so_far)
        family.add_sample(f"{name}_count", clean, so_far)
        family.add_sample(f"{name}_sum", clean, total)

    def collect(self) -> Iterable[Metric]:
        """As a collector of prometheus-client."""
        return sorted(self._found.values(), key=lambda family: family.name)

    def text(self) -> bytes:
        from prometheus_client import generate_latest

        return generate_latest(self)

    def _family(self, name: str) -> Metric:
        found = self._found.get(name)
        if found is None:
            from prometheus_client import Metric

            entry = METRICS[name]
            # The library adds the suffix of counters itself.
            base = name.removesuffix("_total") if entry.type == "counter" else name
            found = self._found[name] = Metric(base, entry.help, entry.type)
        return found


def label_name(text: str) -> str:
    """What Prometheus takes as a label's name: ``app.kubernetes.io/name`` -> ``app_kubernetes_io_name``."""
    return _NOT_A_LABEL.sub("_", text)


def _clean(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: printable(value, MAX_LABEL) for name, value in labels.items() if value}


def _number(bound: float) -> str:
    return repr(float(bound))
