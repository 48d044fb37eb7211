"""-chardev: unix sockets that QEMU listens on. In key=value form, because QEMU 7.2 takes no JSON here."""

from __future__ import annotations

from solovirt.compile.options import KeyValues, Option, Prop, Reason
from solovirt.compile.reasons import default, host
from solovirt.kit.errors import HostError

SOCKET_PATH_MAX = 107
"""Bytes that fit into ``sockaddr_un.sun_path`` beside its final zero."""


def socket(name: str, path: str, why: Reason, *, log: str = "") -> Option:
    """A listening socket; what goes through it is also appended to the file ``log`` if that is given.

    Raises ``HostError`` if the path does not fit into a socket address.
    """
    check_path(path)
    props = [
        Prop("id", name, why),
        Prop("path", path, host("in the VM's runtime directory, which only its owner can enter")),
        Prop("server", True, default("QEMU listens, so that solovirt can come and go")),
        Prop("wait", False, default("QEMU does not wait for somebody to connect")),
    ]
    if log:
        copy = default("what the guest writes is kept, whether somebody is connected or not")
        props += [
            Prop("logfile", log, copy),
            Prop("logappend", True, default("a restart keeps the earlier text")),
        ]
    return Option("-chardev", KeyValues("socket", default("a unix socket"), tuple(props)), why)


def connect(name: str, path: str, helper: str, why: Reason) -> Option:
    """A socket that a helper program listens on; QEMU connects to it. Raises as ``socket``."""
    check_path(path)
    props = (
        Prop("id", name, why),
        Prop("path", path, host(f"in the VM's runtime directory; {helper} listens there")),
    )
    return Option("-chardev", KeyValues("socket", default("a unix socket"), props), why)


def check_path(path: str) -> None:
    if len(path.encode(errors="surrogatepass")) > SOCKET_PATH_MAX:
        raise HostError(
            f"the socket path {path} is longer than {SOCKET_PATH_MAX} bytes",
            reason="PathTooLong",
            hint="set SOLOVIRT_RUNTIME_DIR to a shorter directory",
        )
