"""``api-resources``: what the server's discovery lists."""

from __future__ import annotations

import argparse

from solovirt.cli.context import Context
from solovirt.cli.kinds import everything
from solovirt.cli.output import table_text
from solovirt.kit.jsontypes import get_list, get_str


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    """No options of its own."""


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    rows = [["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"]]
    for resource in everything(context.client):
        group, version = get_str(resource, "group"), get_str(resource, "version")
        short = ",".join(str(s) for s in get_list(resource, "shortNames"))
        api_version = f"{group}/{version}" if group else version
        namespaced = "true" if resource.get("namespaced") else "false"
        rows.append([get_str(resource, "name"), short, api_version, namespaced, get_str(resource, "kind")])
    print(table_text(rows))
    return 0
