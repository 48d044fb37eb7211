"""``GET /metrics``: all machines measured now, and everything that is known anyway, in Prometheus' text format."""

from __future__ import annotations

import asyncio
import time

from starlette.requests import Request
from starlette.responses import Response

from solovirt.api import registry
from solovirt.server.call import Services
from solovirt.server.metrics import instances, machines, own, usage
from solovirt.server.metrics.families import CONTENT_TYPE, Families


class Metrics:
    def __init__(self, services: Services) -> None:
        self._services = services

    async def serve(self, request: Request) -> Response:
        return Response(await self.text(), media_type=CONTENT_TYPE)

    async def text(self) -> bytes:
        """Takes as long as the slowest machine, about 2 s at most."""
        began = time.monotonic()
        objects, figures = self._services.objects, self._services.operations.figures
        measured = await figures.measure()
        families = Families()
        families.add("solovirt_scrape_duration_seconds", {}, time.monotonic() - began)
        vmis = {vmi.metadata.uid: vmi for vmi in objects.list(registry.VIRTUAL_MACHINE_INSTANCES).items}
        node = figures.host().node
        for found in measured:
            usage.add(families, found, vmis.get(found.uid), node)
        for vmi in vmis.values():
            instances.add(families, vmi)
        for vm in objects.list(registry.VIRTUAL_MACHINES).items:
            machines.add(families, vm, objects)
        own.add(families, figures, objects)
        # The families are ours alone by now: requests need not wait for their text.
        return await asyncio.to_thread(families.text)
