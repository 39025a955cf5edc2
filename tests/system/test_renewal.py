"""A certificate renewed by certbot from an ACME server, while clients connect: the new one is served, no handshake fails."""

import json
import subprocess
import threading

import pytest

from lab.acme import Acme
from lab.namespaces import Net
from lab.ntsd import KE_PORT
from lab.paths import program
from lab.process import run, wait_until

SERVER = Net.SERVER_V4[0]


@pytest.fixture
def acme(net, authority):
    server = Acme(net.server, authority)
    yield server
    print(f"--- what pebble wrote:\n{server.process.output()}")
    server.stop()


def served_serial(net):
    """The serial number of the certificate that a new connection gets."""
    done = run(["openssl", "s_client", "-connect", f"{SERVER}:{KE_PORT}", "-alpn", "ntske/1", "-tls1_3"], namespace=net.client, check=False)
    return serial_of(done.stdout[done.stdout.index("-----BEGIN"):])


def serial_of(pem):
    return subprocess.run(["openssl", "x509", "-noout", "-serial"], input=pem, capture_output=True, text=True, check=True).stdout.strip()


class Clients:
    """NTS-KE exchanges, one after the other, until stopped."""

    def __init__(self, net):
        self.good, self.bad = 0, []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(net,))
        self._thread.start()

    def _run(self, net):
        while not self._over.is_set():
            done = run([program("ntsctl"), "--json", "query", SERVER, "--ke-port", KE_PORT, "--insecure", "--count", 1], namespace=net.client, check=False)
            if done.returncode == 0 and json.loads(done.stdout):
                self.good += 1
            else:
                self.bad.append(done.stdout + done.stderr)

    def stop(self):
        self._over.set()
        self._thread.join()


def test_certbot_renews_and_no_handshake_fails(net, ntsd, acme):
    chain, key = acme.issue("ntsd.test")
    assert key.stat().st_mode & 0o777 == 0o640
    server = ntsd(certificate=(chain, key)).start()
    first = served_serial(net)
    assert first == serial_of(chain.read_text())
    clients = Clients(net)
    try:
        acme.renew()
        second = serial_of(chain.read_text())
        assert second != first
        wait_until(lambda: served_serial(net) == second, 20, "the renewed certificate is served")
    finally:
        clients.stop()
    assert clients.good >= 3 and clients.bad == []
    ends = [name for name, count in server.metrics().items() if name.startswith("ntsd_ke_connections_total") and count]
    assert server.process.running() and len(ends) >= 1
