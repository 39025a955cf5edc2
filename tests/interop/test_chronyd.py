"""A real chronyd gets its time from ntsd."""

import pytest

from lab import chrony
from lab.namespaces import Net
from lab.ntsd import NTP_PORT
from lab.process import wait_until

COOKIES = 8
COOKIE_SIZE = 100  # AEAD 15, sealed with a master key of AEAD 15
# chronyd asks eight times a second. It counts a poll as valid when the reply's authenticator and origin are right.
POLLS_PER_SECOND = "minpoll -3 maxpoll -3"


@pytest.fixture
def client(net, chronyd, authority):
    """A chronyd that polls ntsd over NTS, not before the test says so."""
    return lambda: chronyd(
        net.client, f"server {Net.SERVER_V4[0]} nts iburst {POLLS_PER_SECOND}", f"ntstrustedcerts {authority.ca}"
    )


def await_polls(client, count, seconds=30):
    """Waits until `count` more polls were answered with valid replies."""
    goal = client.ntpdata()["valid"] + count
    wait_until(lambda: client.ntpdata()["valid"] >= goal, seconds, f"{count} more valid replies to chronyd")


def assert_authenticated_all_the_time(client):
    """One NTS-KE since it started, no NAK, all cookies at home."""
    wait_until(lambda: client.authdata()["cookies"] == COOKIES, 10, f"{COOKIES} cookies; authdata is {client.authdata()}")
    authentication = client.authdata()
    assert authentication["mode"] == "NTS" and authentication["aead"] == 15
    assert authentication["key_id"] == 1, "chronyd numbers its NTS-KE sessions: it did a second one"
    assert authentication["attempts"] == 0 and authentication["nak"] == 0
    assert authentication["cookie_length"] == COOKIE_SIZE
    assert client.ntpdata()["authenticated"]


def finished_key_exchanges(ntsd):
    return ntsd.metric("ke_connections_total")


@pytest.mark.parametrize("address", [Net.SERVER_V4[0], Net.SERVER_V6[0]], ids=["ipv4", "ipv6"])
class TestOneQuery:
    def test_over_nts(self, net, ntsd, authority, address):
        ntsd().start()
        done = chrony.query(net.client, f"{address} nts", ca=authority.ca)
        assert done.returncode == 0, done.stderr
        assert f"changed port to {NTP_PORT}" in done.stderr, "R-KE-38: the port record was not followed"

    def test_over_plain_ntp(self, net, ntsd, address):
        ntsd().start()
        done = chrony.query(net.client, f"{address} port {NTP_PORT}")
        assert done.returncode == 0, done.stderr

    def test_fails_when_the_certificate_is_of_an_unknown_authority(self, net, ntsd, address):
        server = ntsd().start()
        done = chrony.query(net.client, f"{address} nts", timeout=4)
        assert done.returncode == 1 and "TLS handshake" in done.stderr
        assert server.metric("ntp_requests_total") == 0


def test_query_over_nts_by_the_second_address_of_the_host(net, ntsd, authority):
    ntsd().start()
    for address in (Net.SERVER_V4[1], Net.SERVER_V6[1]):
        done = chrony.query(net.client, f"{address} nts", ca=authority.ca)
        assert done.returncode == 0, f"{address}: {done.stderr}"


def test_keeps_eight_cookies_and_sees_no_nak_over_thirty_polls(ntsd, client):
    server = ntsd().start()
    chronyd = client()
    await_polls(chronyd, 30)
    assert_authenticated_all_the_time(chronyd)
    assert chronyd.selected()
    data = chronyd.ntpdata()
    assert data["valid"] == data["received"], "a reply was refused"
    assert data["stratum"] == 10 and data["leap"] == "Normal"
    assert finished_key_exchanges(server) == 1
    assert server.metric("ntp_responses_total", kind="nts") >= 30
    assert server.metric("ntp_responses_total", kind="nak") == 0
    assert server.metric("ntp_dropped_total") == 0


def test_goes_on_after_a_restart_without_new_key_establishment(ntsd, client):
    server = ntsd().start()
    chronyd = client()
    await_polls(chronyd, 10)
    server.restart()
    await_polls(chronyd, 20)
    assert_authenticated_all_the_time(chronyd)
    assert finished_key_exchanges(server) == 0, "R-CK-10: it came back for keys"
    assert server.metric("ntp_responses_total", kind="nak") == 0


def test_comes_back_for_keys_when_they_were_lost_in_a_restart(ntsd, client):
    """The twin of the test above: it can tell a lost key ring from a kept one."""
    server = ntsd().start()
    chronyd = client()
    await_polls(chronyd, 10)
    assert server.stop() == 0
    server.keys.unlink()
    server.start()
    wait_until(lambda: finished_key_exchanges(server) == 1, 60, "chronyd does NTS-KE again")
    assert server.metric("ntp_responses_total", kind="nak") >= 1
    wait_until(lambda: chronyd.authdata()["key_id"] == 2, 10, "a second NTS-KE session")


def test_goes_on_across_two_forced_key_rotations(ntsd, client):
    server = ntsd().start()
    chronyd = client()
    await_polls(chronyd, 10)
    for _ in range(2):
        server.ctl("keys", "rotate")
        await_polls(chronyd, 12)
        assert_authenticated_all_the_time(chronyd)
    assert finished_key_exchanges(server) == 1
    assert server.metric("ntp_responses_total", kind="nak") == 0
    # The cookies in chronyd's hands at each rotation were sealed with the key that became a past one.
    assert server.metric("ntp_cookies_opened_total", key_age="1") >= COOKIES
    assert server.metric("ntp_cookies_opened_total", key_age="unknown") == 0


def test_cookies_open_after_two_rotations_in_a_row(ntsd, client):
    server = ntsd().start()
    chronyd = client()
    await_polls(chronyd, 5)
    server.ctl("keys", "rotate")
    server.ctl("keys", "rotate")
    await_polls(chronyd, 12)
    assert_authenticated_all_the_time(chronyd)
    # How many were spent between the two commands depends on how fast this machine is.
    opened = [server.metric("ntp_cookies_opened_total", key_age=age) for age in ("1", "2")]
    assert opened[1] >= 1 and sum(opened) >= COOKIES


def test_comes_back_for_keys_when_more_rotations_were_forced_than_keys_are_kept(ntsd, client):
    """The twin of the two tests above, R-CK-07."""
    server = ntsd(set_values=["keys.keep=1"]).start()
    chronyd = client()
    await_polls(chronyd, 5)
    for _ in range(2):
        server.ctl("keys", "rotate")
    wait_until(lambda: finished_key_exchanges(server) == 2, 60, "chronyd does NTS-KE again")
    assert server.metric("ntp_responses_total", kind="nak") >= 1
    assert server.metric("ntp_cookies_opened_total", key_age="unknown") >= 1


def test_revoked_keys_send_clients_back_for_new_ones_and_never_return(ntsd, client, tmp_path):
    """R-CK-09: at once, and whatever old file comes along."""
    server = ntsd().start()
    chronyd = client()
    await_polls(chronyd, 5)
    backup = tmp_path / "backup"
    server.ctl("keys", "export", "--format", "ntsd", backup)
    server.ctl("keys", "revoke", "all")
    wait_until(lambda: finished_key_exchanges(server) == 2, 60, "chronyd does NTS-KE again")
    await_polls(chronyd, 5)
    assert server.metric("ntp_responses_total", kind="nak") >= 1
    for _ in range(2):
        refused = server.ctl("keys", "import", "--format", "ntsd", backup, check=False)
        assert refused.returncode == 1 and "revoked" in refused.stderr + refused.stdout
        server.restart()
    await_polls(chronyd, 5)
    assert server.metric("ke_connections_total") == 0, "the new keys are still there"
