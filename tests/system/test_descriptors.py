"""When descriptors run out, NTS-KE waits and NTP does not notice."""

import contextlib
import pathlib
import socket

from lab import ntp_packet
from lab.namespaces import Net
from lab.ntp_packet import request
from lab.ntsd import KE_PORT, NTP_PORT
from lab.paths import program
from lab.process import run, wait_until

SERVER = Net.SERVER_V4[0]
DESCRIPTORS = 64  # for the whole process; it needs about half of them for itself
CONNECTIONS = 150


def test_idle_connections_take_all_descriptors_and_ntp_goes_on(net, ntsd, authority):
    server = ntsd(prefix=["prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}"], set_values=["workers.ntp=1", "workers.ke=1"]).start()
    # The sanitizer looks at the type of an object that it has not met by way of a pipe, which takes descriptors.
    assert ntp_packet.ask(net.client, SERVER, NTP_PORT, request()), "an answer before"
    with contextlib.ExitStack() as connections:
        with net.client:
            for _ in range(CONNECTIONS):
                one = connections.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
                one.setblocking(False)
                one.connect_ex((SERVER, KE_PORT))
        taken = pathlib.Path(f"/proc/{server.process.popen.pid}/fd")
        wait_until(lambda: len(list(taken.iterdir())) >= DESCRIPTORS - 2, 5, "hardly a descriptor is left")
        for _ in range(20):
            assert ntp_packet.ask(net.client, SERVER, NTP_PORT, request()), "an answer"
        assert server.process.running()
    # Those that had no descriptor waited in the kernel's queue; now there is room again.
    query = ["query", SERVER, "--ke-port", KE_PORT, "--ca", authority.ca, "--count", 1]
    wait_until(lambda: run([program("ntsctl"), *query], namespace=net.client, check=False).returncode == 0, 20, "NTS-KE goes on")
    refused = [line for line in server.output().splitlines() if "descriptor" in line.lower() or "EMFILE" in line]
    assert len(refused) <= 3, "no line for each connection"
