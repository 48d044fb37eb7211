"""What handlers of subresources share: options, seconds, dry runs, bodies as types."""

from __future__ import annotations

from typing import cast

import msgspec
import pytest
from starlette.requests import Request

from solovirt.kit import json
from solovirt.kit.errors import BadRequest, Invalid
from solovirt.kit.json import JsonObject
from solovirt.server import actions
from solovirt.server.actions import Target
from solovirt.server.call import Services


def target(body: JsonObject | None) -> Target:
    sent = b"" if body is None else json.encode(body)

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": sent, "more_body": False}

    request = Request({"type": "http", "method": "PUT", "path": "/", "query_string": b"", "headers": []}, receive)
    return Target(request, cast(Services, None), "default", "vm")


async def test_options_that_are_known() -> None:
    body: JsonObject = {"kind": "StopOptions", "apiVersion": "v1", "gracePeriod": 3, "paused": None, "dryRun": ["All"]}
    assert await actions.options(target(body), {"gracePeriod": int, "paused": bool}) == body
    assert await actions.options(target(None), {}) == {}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"grace": 3}, 'strict decoding error: unknown field "grace"'),
        ({"gracePeriod": "3"}, "gracePeriod: expected an integer"),
        ({"gracePeriod": True}, "gracePeriod: expected an integer"),
        ({"gracePeriod": 1.5}, "gracePeriod: expected an integer"),
        ({"dryRun": "All"}, "dryRun: expected a list"),
        ({"kind": 1}, "kind: expected a string"),
        ({"paused": 1}, "paused: expected true or false"),
    ],
)
async def test_nothing_is_accepted_and_ignored(body: JsonObject, message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        await actions.options(target(body), {"gracePeriod": int, "paused": bool})
    assert (caught.value.message, caught.value.field) == (message, next(iter(body)))


def test_seconds() -> None:
    assert actions.seconds({"gracePeriod": 0}, "gracePeriod") == 0
    assert actions.seconds({}, "gracePeriod") is None
    with pytest.raises(BadRequest, match="gracePeriod: must not be negative"):
        actions.seconds({"gracePeriod": -1}, "gracePeriod")


def test_dry_run() -> None:
    assert actions.dry_run({"dryRun": ["All"]}) is True
    assert actions.dry_run({"dryRun": []}) is False
    assert actions.dry_run({}) is False
    with pytest.raises(Invalid, match="dryRun"):
        actions.dry_run({"dryRun": ["Some"]})


class Body(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    how_many: int = 1


def test_bodies_as_types() -> None:
    assert actions.typed({"howMany": 2}, Body).how_many == 2
    for wrong in ({"howMany": "2"}, {"more": 1}):
        with pytest.raises(BadRequest, match="the request body does not fit: "):
            actions.typed(cast(JsonObject, wrong), Body)


def test_answers_are_json() -> None:
    answer = actions.answer({"return": ["ä"]})
    assert (answer.media_type, json.decode(bytes(answer.body))) == ("application/json", {"return": ["ä"]})
