"""Network namespaces joined by veth pairs, made by this process and gone with it. Needs root of some user namespace."""

import contextlib
import ctypes
import errno
import os

from lab.process import LIBC, enter_network, run

CLONE_NEWNET = 0x40000000


class Namespace:
    """An own network with its loopback up. `with namespace:` makes the calling thread's new sockets belong to it."""

    def __init__(self):
        home = _open_own()
        try:
            if LIBC.unshare(CLONE_NEWNET) != 0:
                code = ctypes.get_errno()
                raise OSError(code, f"cannot make a network namespace: {os.strerror(code)}")
            self.descriptor = _open_own()
            enter_network(home)
        finally:
            os.close(home)
        self._entered_from = []
        self.ip("link", "set", "lo", "up")

    def close(self):
        os.close(self.descriptor)

    def ip(self, *words):
        return run(["ip", *words], namespace=self, timeout=10).stdout

    def join(self, other, name, other_name):
        """A veth pair between the two, both ends up."""
        there = f"/proc/{os.getpid()}/fd/{other.descriptor}"
        self.ip("link", "add", name, "type", "veth", "peer", "name", other_name, "netns", there)
        self.ip("link", "set", name, "up")
        other.ip("link", "set", other_name, "up")

    def address(self, device, *addresses):
        """Gives the device addresses such as 192.0.2.1/24 or 2001:db8::1/64; IPv6 ones are usable at once."""
        for address in addresses:
            self.ip("address", "add", address, "dev", device, *(["nodad"] if ":" in address else []))

    def __enter__(self):
        self._entered_from.append(_open_own())
        enter_network(self.descriptor)
        return self

    def __exit__(self, *_):
        home = self._entered_from.pop()
        enter_network(home)
        os.close(home)


def why_unavailable():
    """None when namespaces can be made here, else the reason in words."""
    try:
        Namespace().close()
    except OSError as error:
        if error.errno in (errno.EPERM, errno.ENOSPC, errno.EINVAL):
            return error.strerror
        raise
    return None


def _open_own():
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


class Net:
    """Two namespaces, `server` and `client`, joined by one cable with two IPv4 and two IPv6 addresses on each side."""

    SERVER_V4 = ("192.0.2.1", "192.0.2.3")
    SERVER_V6 = ("2001:db8::1", "2001:db8::3")
    CLIENT_V4 = "192.0.2.2"
    CLIENT_V6 = "2001:db8::2"

    def __init__(self):
        with contextlib.ExitStack() as stack:
            self.server = Namespace()
            stack.callback(self.server.close)
            self.client = Namespace()
            stack.callback(self.client.close)
            self.server.join(self.client, "to-client", "to-server")
            self.server.address("to-client", *(f"{a}/24" for a in self.SERVER_V4), *(f"{a}/64" for a in self.SERVER_V6))
            self.client.address("to-server", f"{self.CLIENT_V4}/24", f"{self.CLIENT_V6}/64")
            self.close = stack.pop_all().close
