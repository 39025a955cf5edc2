"""Sockets that the service manager holds: restarts under load lose nothing, and what does not fit is refused in one line."""

import signal
import socket
import threading
import time

import pytest

from lab import socket_holder
from lab.namespaces import Net
from lab.ntp_packet import read, request
from lab.ntsd import KE_PORT, NTP_PORT
from lab.paths import program
from lab.process import run, wait_until

SERVER = Net.SERVER_V4[0]
UDP, TCP = f"udp:{SERVER}:{NTP_PORT}", f"tcp:{SERVER}:{KE_PORT}"
RESTARTS = 3
RATE = 1500  # requests a second


@pytest.fixture
def held(ntsd):
    """held(*words) makes an ntsd with two NTP workers, to which these sockets are passed."""

    def make(*words):
        return ntsd(ntp=[f"{SERVER}:{NTP_PORT}"], ke=[f"{SERVER}:{KE_PORT}"], set_values=["workers.ntp=2", "workers.ke=1"],
                    prefix=["/usr/bin/python3", socket_holder.__file__, *words, "--"])

    return make


class Asker:
    """Sends plain requests at a steady rate, each from a port of its own, and notes which were answered."""

    def __init__(self, net):
        self.sent, self.answered = 0, 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(net,))
        self._thread.start()

    def _run(self, net):
        with net.client:
            sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(16)]
        for one in sockets:
            one.connect((SERVER, NTP_PORT))
            one.setblocking(False)
        while not self._over.wait(1 / RATE):
            self.sent += 1
            sockets[self.sent % 16].send(request(transmit=self.sent))
            self._collect(sockets)
        deadline = time.monotonic() + 10
        while self.answered < self.sent and time.monotonic() < deadline:
            self._collect(sockets)
            time.sleep(0.01)
        for one in sockets:
            one.close()

    def _collect(self, sockets):
        for one in sockets:
            try:
                while True:
                    self.answered += 0 < read(one.recv(2048)).origin <= self.sent
            except BlockingIOError:
                pass

    def stop(self):
        self._over.set()
        self._thread.join()


def test_restarts_under_load_lose_nothing(net, held, authority):
    server = held(UDP, UDP, TCP).start()
    asker = Asker(net)
    try:
        for restart in range(1, RESTARTS + 1):
            time.sleep(0.3)
            server.process.popen.send_signal(signal.SIGUSR1)
            wait_until(lambda: server.output().count("is serving") == 1 + restart, 20, f"start {restart + 1}")
            # Connections wait in the queue of the listening socket just as datagrams do in theirs.
            done = run([program("ntsctl"), "query", SERVER, "--ke-port", KE_PORT, "--ca", authority.ca, "--count", 1],
                       namespace=net.client, timeout=30, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
    finally:
        asker.stop()
    assert asker.sent > RATE * 0.3
    assert asker.answered == asker.sent
    assert server.stop() == 0


@pytest.mark.parametrize(("words", "complaint"), [
    ([UDP, TCP], f"passed 1 UDP sockets for {SERVER}:{NTP_PORT}, and there are 2 workers"),
    ([UDP, UDP, UDP, TCP], "passed 3 UDP sockets"),
    ([UDP, UDP, TCP, f"udp:{SERVER}:11999"], f"a UDP socket for {SERVER}:11999, which is no address of [[ntp]]"),
], ids=["too few", "too many", "unwanted"])
def test_sockets_that_do_not_fit_are_refused_in_one_line(held, words, complaint):
    status, lines = held(*words).fail_to_start()
    assert status == 1
    assert len(lines) == 1 and complaint in lines[0], lines


def test_what_the_manager_does_not_hold_is_opened(net, held, authority):
    server = held(TCP).start()
    asker = Asker(net)
    time.sleep(0.2)
    asker.stop()
    assert asker.answered == asker.sent > 0
    assert server.stop() == 0
