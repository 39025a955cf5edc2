"""One key ring for ntsd and real chronyds, R-CK-11: clients of one move to the other and back, and never repeat NTS-KE.

chronyd 4.3 reads and writes `ntskeys` of the format NKS0, with keys of AEAD 15; 4.6 writes NKS1, with keys of AEAD 30, and reads
both. chronyd writes the file at its end and at each rotation, and reads it at its start and, with `ntsrotate 0`, on `rekey`.
"""

import os
import secrets

import pytest

from lab.namespaces import Net
from lab.ntsd import KE_PORT, NTP_PORT
from lab.process import wait_until

POLLS_PER_SECOND = "minpoll -3 maxpoll -3"
COOKIES = 8
NTSD, CHRONYD = Net.SERVER_V4  # where they serve when both do
# So many polls spend all eight cookies and then some of those that came with the answers.
MORE_THAN_ALL_COOKIES = 12


class ChronyServer:
    """A chronyd that serves NTS, as it is started and stopped around its `ntskeys`."""

    def __init__(self, chronyd, net, certificate, folder, release, *more):
        chain, key = certificate
        folder.mkdir(mode=0o700)
        self.keys = folder / "ntskeys"
        self._start = lambda: chronyd(
            net.server, "local stratum 3", "allow", f"port {NTP_PORT}", f"ntsservercert {chain}", f"ntsserverkey {key}",
            f"ntsdumpdir {folder}", *more, release=release,
        )
        self.daemon = None

    def start(self):
        self.daemon = self._start()
        return self

    def stop(self):
        assert self.daemon.process.stop() == 0

    def take_keys_of(self, ntsd):
        """Puts the export of ntsd in place of the file, as a whole."""
        fresh = self.keys.with_suffix(".fresh")
        fresh.unlink(missing_ok=True)
        ntsd.ctl("keys", "export", "--format", "chrony", fresh)
        os.replace(fresh, self.keys)

    def format(self):
        return self.keys.read_text().split()[0]


@pytest.fixture
def chrony_server(chronyd, net, certificate, tmp_path):
    """chrony_server(release, *lines) is a ChronyServer, not yet started."""
    return lambda release, *more: ChronyServer(chronyd, net, certificate, tmp_path / "chrony", release, *more)


@pytest.fixture
def client(chronyd, net, authority):
    """client(address, release) is a chronyd that polls with cookies from the NTS-KE at that address."""
    return lambda address, release=None: chronyd(
        net.client, f"server {address} nts iburst {POLLS_PER_SECOND}", f"ntstrustedcerts {authority.ca}", release=release
    )


def await_polls(client, count, seconds=30):
    goal = client.ntpdata()["valid"] + count
    wait_until(lambda: client.ntpdata()["valid"] >= goal, seconds, f"{count} more valid replies; {client.authdata()}")


def assert_never_went_back_to_key_establishment(client, cookie_length):
    # Three answers in flight, or lost with a server that ended, cost a cookie each until placeholders bring them back.
    wait_until(lambda: client.authdata()["cookies"] == COOKIES, 10, f"{COOKIES} cookies; authdata is {client.authdata()}")
    authentication = client.authdata()
    assert authentication["key_id"] == 1, "chronyd numbers its NTS-KE sessions: it did a second one"
    assert authentication["attempts"] == 0 and authentication["nak"] == 0, authentication
    assert authentication["cookie_length"] == cookie_length
    assert client.ntpdata()["authenticated"]


def sealing(ntsd):
    """The id of the key that seals."""
    rows = [line.split() for line in ntsd.ctl("keys").stdout.splitlines()]
    return next(row[0] for row in rows if "current" in row)


def write_keys_of_aead_30(path):
    """What chronyd 4.6 writes."""
    ids = ["0a00c2f4", "1b00c2f5", "2c00c2f6", "3d00c2f7"]
    path.write_text("NKS1\n0.0\n" + "".join(f"{one} {secrets.token_hex(16).upper()} 30\n" for one in ids))
    path.chmod(0o600)


# The server that is left and joined again, the client, what the server's file is, and the length of cookies: of a master key of
# AEAD 15 or 30, for a client of AEAD 15 or 30.
MOVES = [
    pytest.param("bookworm", "bookworm", "NKS0", 100, id="4.3-and-back"),
    pytest.param("trixie", "bookworm", "NKS1", 96, id="4.6-and-back-with-a-client-of-4.3"),
    pytest.param("trixie", "trixie", "NKS1", 64, id="4.6-and-back"),
]


@pytest.mark.parametrize(("server_release", "client_release", "form", "cookie_length"), MOVES)
def test_clients_of_chronyd_move_to_ntsd_and_back(
    ntsd, client, chrony_server, server_release, client_release, form, cookie_length
):
    left = chrony_server(server_release).start()
    chronyd = client(NTSD, client_release)
    await_polls(chronyd, 3)
    left.stop()
    assert left.format() == form

    # The keys are taken over before anybody can ask with their cookies.
    server = ntsd(set_values=['ntp[0].listen=["127.0.0.1:11124"]', 'ke[0].listen=["127.0.0.1:4461"]']).start()
    server.ctl("keys", "import", "--format", "chrony", left.keys)
    assert server.stop() == 0
    server.set_values.clear()
    server.start()
    await_polls(chronyd, MORE_THAN_ALL_COOKIES)
    assert_never_went_back_to_key_establishment(chronyd, cookie_length)
    server.ctl("keys", "rotate")
    await_polls(chronyd, MORE_THAN_ALL_COOKIES)
    assert server.metric("ntp_responses_total", kind="nak") == 0
    assert server.metric("ntp_cookies_opened_total", key_age="1") >= COOKIES
    assert server.metric("ke_connections_total") == 0

    left.take_keys_of(server)
    assert left.format() == form
    assert server.stop() == 0
    left.start()
    await_polls(chronyd, MORE_THAN_ALL_COOKIES)
    assert_never_went_back_to_key_establishment(chronyd, cookie_length)


def test_clients_notice_when_the_keys_were_not_taken_over(ntsd, client, chrony_server):
    """The twin of the test above: it can tell shared keys from others."""
    left = chrony_server(None).start()
    chronyd = client(NTSD)
    await_polls(chronyd, 3)
    left.stop()
    server = ntsd().start()
    wait_until(lambda: server.metric("ke_connections_total") >= 1, 60, "chronyd does NTS-KE again")
    assert server.metric("ntp_responses_total", kind="nak") >= 1


@pytest.mark.parametrize(
    ("release", "form", "cookie_length"),
    [("bookworm", "NKS0", 100), ("trixie", "NKS0", 100), ("trixie", "NKS1", 96)],
)
def test_chronyd_opens_cookies_of_ntsd_across_rotations(
    ntsd, client, chrony_server, authority, tmp_path, release, form, cookie_length
):
    server = ntsd(ntp=[f"{NTSD}:{NTP_PORT}"], ke=[f"{NTSD}:{KE_PORT}"], set_values=[f"ke[0].ntp-server={CHRONYD}"]).start()
    if form == "NKS1":
        write_keys_of_aead_30(tmp_path / "seed")
        server.ctl("keys", "import", "--format", "chrony", tmp_path / "seed")
    follower = chrony_server(release, "ntsrotate 0", f"bindaddress {CHRONYD}", "ntsport 4461")
    follower.take_keys_of(server)
    assert follower.format() == form
    follower.start()
    # The keys of ntsd seal what NTS-KE gives out; chronyd, where all requests go, opens that and seals the cookies in its answers.
    chronyd = client(NTSD, "bookworm")
    await_polls(chronyd, MORE_THAN_ALL_COOKIES)
    assert chronyd.ntpdata()["address"] == CHRONYD
    for _ in range(2):
        before = sealing(server)
        server.ctl("keys", "rotate")
        assert sealing(server) != before
        # Exits with 0 only if the answer is authentic. What seals now was chronyd's future key: it opens new cookies before it
        # is told.
        server.ctl("query", NTSD, "--ca", authority.ca)
        follower.take_keys_of(server)
        follower.daemon.command("rekey")
        server.ctl("query", NTSD, "--ca", authority.ca)
        await_polls(chronyd, MORE_THAN_ALL_COOKIES)
    assert_never_went_back_to_key_establishment(chronyd, cookie_length)
    assert server.metric("ntp_requests_total") == 0, "all of it was chronyd's work"


@pytest.mark.parametrize(("release", "form", "cookie_length"), [("bookworm", "NKS0", 100), ("trixie", "NKS1", 96)])
def test_ntsd_opens_cookies_of_chronyd_across_rotations(
    ntsd, client, chrony_server, authority, release, form, cookie_length
):
    leader = chrony_server(release, "ntsrotate 2", f"bindaddress {CHRONYD}", f"ntsntpserver {NTSD}").start()
    wait_until(leader.keys.exists, 20, "chronyd's first rotation writes its keys")
    assert leader.format() == form
    server = ntsd(
        ntp=[f"{NTSD}:{NTP_PORT}"], ke=[],
        set_values=["keys.source=follow", f"keys.file={leader.keys}"],
    ).start()
    chronyd = client(CHRONYD, "bookworm")
    await_polls(chronyd, MORE_THAN_ALL_COOKIES)
    assert chronyd.ntpdata()["address"] == NTSD
    for _ in range(2):
        before = sealing(server)
        wait_until(lambda: sealing(server) != before, 20, "ntsd follows chronyd's next rotation")
        server.ctl("query", CHRONYD, "--ca", authority.ca)
    await_polls(chronyd, MORE_THAN_ALL_COOKIES)
    assert_never_went_back_to_key_establishment(chronyd, cookie_length)
    assert server.metric("ntp_responses_total", kind="nak") == 0
    assert server.metric("ntp_cookies_opened_total", key_age="unknown") == 0
