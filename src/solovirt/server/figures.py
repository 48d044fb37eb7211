"""``figures`` of ``subresources.solovirt.io``: what running machines use, for ``solovirt top``.

``[namespaces/NS/]figures[/NAME]``. Counters, not rates: who wants a rate asks twice.
"""

from __future__ import annotations

from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import Response

from solovirt.api import registry
from solovirt.controllers.figures import MachineFigures
from solovirt.kit import json
from solovirt.kit.json import JsonObject
from solovirt.server.actions import answer
from solovirt.server.call import Services
from solovirt.server.errors import method_not_allowed
from solovirt.server.requestinfo import RequestInfo

PLURAL = "figures"


async def serve(request: Request, services: Services, info: RequestInfo) -> Response:
    """A list. Raises NotFound for a name that is no VMI; one that does not run has no figures."""
    if request.method != "GET":
        raise method_not_allowed()
    if info.name:
        services.objects.get(registry.VIRTUAL_MACHINE_INSTANCES, info.namespace, info.name)
    figures = services.operations.figures
    found = await figures.measure(info.namespace, info.name)
    return answer(
        {
            "kind": "FiguresList",
            "apiVersion": f"{info.group}/{info.version}",
            "host": asdict(figures.host()),
            "items": [_item(one) for one in found],
        }
    )


def _item(found: MachineFigures) -> JsonObject:
    return {
        "metadata": {"namespace": found.namespace, "name": found.name, "uid": found.uid},
        "figures": json.to_json(found.figures),
        "errors": list(found.errors),
    }
