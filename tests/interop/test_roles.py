"""The same program with one half of its tables serves one half: NTS-KE in one process, NTP in another that follows its keys."""

import pytest

from lab.namespaces import Net
from lab.ntsd import KE_PORT, NTP_PORT
from lab.process import wait_until

ADDRESS = Net.SERVER_V4[0]


@pytest.fixture
def halves(ntsd):
    """(NTS-KE only, NTP only), both started; the second one follows the key file of the first."""
    ke = ntsd(ntp=[], ke=[f"{ADDRESS}:{KE_PORT}"], set_values=[f"ke[0].ntp-port={NTP_PORT}", "keys.keep=1"]).start()
    ntp = ntsd(
        ntp=[f"{ADDRESS}:{NTP_PORT}"], ke=[], metrics=("127.0.0.1", 9977),
        set_values=["keys.source=follow", f"keys.file={ke.keys}"],
    ).start()
    return ke, ntp


def fingerprint(ntsd):
    return [line for line in ntsd.ctl("keys").stdout.splitlines() if "fingerprint" in line]


def test_clients_follow_across_rotations(net, halves, chronyd, authority):
    ke, ntp = halves
    client = chronyd(net.client, f"server {ADDRESS} nts iburst minpoll -3 maxpoll -3", f"ntstrustedcerts {authority.ca}")

    def await_polls(count):
        goal = client.ntpdata()["valid"] + count
        wait_until(lambda: client.ntpdata()["valid"] >= goal, 30, f"{count} more valid replies to chronyd")

    await_polls(5)
    for _ in range(4):  # more than are kept, so that nothing is left of the first keys
        ke.ctl("keys", "rotate")
        wait_until(lambda: fingerprint(ntp) == fingerprint(ke), 10, "the follower has the new keys")
        await_polls(9)
    ke.ctl("query", ADDRESS, "--ca", authority.ca)
    authentication = client.authdata()
    assert authentication["key_id"] == 1 and authentication["nak"] == 0 and authentication["attempts"] == 0
    assert client.selected()
    assert ntp.metric("ntp_responses_total", kind="nak") == 0
    assert ntp.metric("ntp_cookies_opened_total", key_age="unknown") == 0
    assert ke.metric("ke_connections_total") == 2


def test_new_cookies_are_opened_before_the_follower_reads_the_rotation(halves, authority):
    ke, ntp = halves
    ntp.process.popen.send_signal(19)  # SIGSTOP: it cannot read the file while the other half rotates
    try:
        ke.ctl("keys", "rotate")
    finally:
        ntp.process.popen.send_signal(18)  # SIGCONT
    ke.ctl("query", ADDRESS, "--ca", authority.ca)
    assert ntp.metric("ntp_responses_total", kind="nak") == 0


def test_a_follower_changes_nothing(halves):
    ke, ntp = halves
    before = ke.keys.read_bytes()
    for words in (["rotate"], ["revoke", "all"]):
        done = ntp.ctl("keys", *words, check=False)
        assert done.returncode == 1 and "follow" in done.stderr + done.stdout
    assert ke.keys.read_bytes() == before
