"""A fake API whose guest answers agent commands, for the tests of ``solovirt guest``."""

from __future__ import annotations

import json

from solovirt.kit.jsontypes import Json, JsonObject, get_str
from tests.support.apiserver import Answer, FakeApi, Request, status

GUEST = "/apis/subresources.solovirt.io/v1/namespaces/default/virtualmachineinstances/hello"


class Guest:
    """``replies`` are whole replies of an agent by command, as bytes; ``asked`` what it was asked."""

    def __init__(self, api: FakeApi, replies: dict[str, bytes]) -> None:
        self.replies = dict(replies)
        self.asked: list[JsonObject] = []
        api.on("POST", f"{GUEST}/agent", self._answer)

    def says(self, command: str, value: Json) -> None:
        self.replies[command] = json.dumps({"return": value}).encode()

    def _answer(self, request: Request) -> Answer:
        assert isinstance(request.body, dict)
        self.asked.append(request.body)
        command = get_str(request.body, "command")
        reply = self.replies.get(command)
        if reply is None:
            return status(500, "CommandNotFound", f"{command}: The command {command} has not been found (hint)")
        return Answer(json.loads(reply))
