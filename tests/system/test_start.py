"""What keeps ntsd from starting gets one clear line and exit status 1."""

import json
import os
import shutil
import socket

import pytest

from lab import ntp_packet
from lab.namespaces import Net
from lab.ntsd import KE_PORT, METRICS, NTP_PORT
from lab.process import run
from lab.users import other_users_exist


def test_a_start_is_summed_up_in_one_record(net, ntsd):
    server = ntsd(set_values=["log.format=json", "limits.ntp.rate=2"]).start()
    records = [json.loads(line) for line in server.output().splitlines()]
    (summary,) = [record for record in records if record["message"].endswith("is serving")]
    assert summary["level"] == "info" and summary["version"] and summary["engine"] in ("io_uring", "mmsg") and summary["crypto"]
    assert f"ntp 0.0.0.0:{NTP_PORT}" in summary["listeners"] and f"nts-ke [::]:{KE_PORT}" in summary["listeners"]
    assert summary["certificates"].startswith("ntsd.test until 20") and summary["reference"] == "local, stratum 10"
    assert summary["ntp-limit"].startswith("2/s after 64") and summary["ke-limit"] == "off"
    # What clients do is counted, never logged.
    before = server.output()
    for version in (0, 3, 4, 7):
        ntp_packet.ask(net.client, Net.SERVER_V4[0], NTP_PORT, ntp_packet.request(version=version), b"\x23" * 60)
    with net.client, socket.create_connection((Net.SERVER_V4[0], KE_PORT), timeout=5) as stranger:
        stranger.sendall(b"GET / HTTP/1.0\r\n\r\n")
        while stranger.recv(4096):
            pass
    assert server.output() == before
    server.restart()
    assert server.output().count("is serving") == 2


def assert_refused(server, *words):
    """Exit status 1 and exactly one line that names what is wrong, in these words."""
    status, lines = server.fail_to_start()
    assert status == 1, lines
    naming = [line for line in lines if all(word in line for word in words)]
    assert len(naming) == 1, f"one line with {words} in:\n" + "\n".join(lines)
    # Not more than the reason and, before it, what it had done so far: nobody reads a page.
    assert sum("rror" in line for line in lines) <= 1, lines


def test_missing_certificate(ntsd, certificate):
    assert_refused(ntsd(certificate=("/nowhere/chain.pem", certificate[1])), "/nowhere/chain.pem", "No such file")


def test_missing_private_key(ntsd, certificate):
    assert_refused(ntsd(certificate=(certificate[0], "/nowhere/key.pem")), "/nowhere/key.pem", "No such file")


def test_certificate_that_is_a_directory(ntsd, certificate, tmp_path):
    assert_refused(ntsd(certificate=(tmp_path, certificate[1])), str(tmp_path))


def test_certificate_that_is_not_one(ntsd, certificate, tmp_path):
    path = tmp_path / "chain.pem"
    path.write_text("not a certificate\n")
    assert_refused(ntsd(certificate=(path, certificate[1])), str(path))


def test_private_key_of_another_certificate(ntsd, certificate, authority):
    _, other = authority.issue("other.test", dns=["other.test"])
    assert_refused(ntsd(certificate=(certificate[0], other)), str(other))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_unreadable_private_key(ntsd, certificate, tmp_path):
    path = tmp_path / "key.pem"
    path.write_bytes(certificate[1].read_bytes())
    path.chmod(0)
    assert_refused(ntsd(certificate=(certificate[0], path)), str(path), "Permission denied")


@pytest.mark.parametrize(
    "kind, port", [(socket.SOCK_DGRAM, NTP_PORT), (socket.SOCK_STREAM, KE_PORT), (socket.SOCK_STREAM, METRICS[1])],
    ids=["ntp", "ke", "metrics"],
)
def test_occupied_port(net, ntsd, kind, port):
    with net.server, socket.socket(socket.AF_INET, kind) as holder:
        holder.bind(("127.0.0.1", port))
        if kind == socket.SOCK_STREAM:
            holder.listen()
        assert_refused(ntsd(), str(port), "in use")


def test_second_server_on_the_same_ports_is_refused_and_the_first_goes_on(net, ntsd):
    """SO_REUSEPORT would let two processes of one user share a port, and each would get half of the requests."""
    first = ntsd().start()
    second = ntsd(set_values=['metrics.listen=""'])
    status, lines = second.fail_to_start()
    assert status == 1 and any("in use" in line for line in lines), lines
    for _ in range(20):
        assert len(ntp_packet.ask(net.client, Net.SERVER_V4[0], NTP_PORT, ntp_packet.request())) == 1
    assert first.metric("ntp_requests_total") == 40


@pytest.mark.parametrize("change", ["cut", "bits", "foreign", "empty"])
def test_torn_key_file_is_refused_and_never_overwritten(ntsd, change):
    server = ntsd().start()
    assert server.stop() == 0
    sound = server.keys.read_bytes()
    torn = {
        "cut": sound[: len(sound) * 2 // 3],
        "bits": sound[:-10] + bytes([sound[-10] ^ 0x55]) + sound[-9:],
        "foreign": b"This file belongs to somebody else.\n",
        "empty": b"",
    }[change]
    server.keys.write_bytes(torn)
    assert_refused(server, str(server.keys))
    assert server.keys.read_bytes() == torn
    server.keys.write_bytes(sound)
    server.start()


def test_key_file_is_for_its_owner_only(ntsd):
    server = ntsd().start()
    assert server.keys.stat().st_mode & 0o777 == 0o600
    server.ctl("keys", "rotate")
    assert server.keys.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(not other_users_exist(), reason="only root can become another user, and here is no other")
def test_becomes_another_user_and_keeps_working(net, ntsd, certificate):
    server = ntsd(user="nobody", set_values=["control.group=nogroup"])
    text = server.config.read_text()
    for path in certificate:
        # The tests' own certificates stand where only their user can go.
        text = text.replace(str(path), shutil.copy(path, server.folder))
    server.config.write_text(text)
    run(["chown", "-R", "nobody:nogroup", server.folder])
    run(["chmod", "755", server.folder])
    server.start()
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as text:
        lines = dict(line.rstrip().split(":\t", 1) for line in text if ":\t" in line)
    assert set(lines["Uid"].split()) == {lines["Uid"].split()[0]} != {"0"}
    assert int(lines["CapPrm"], 16) == 0 and int(lines["CapEff"], 16) == 0
    server.ctl("keys", "rotate")
    server.restart()
    assert len(ntp_packet.ask(net.client, Net.SERVER_V4[0], NTP_PORT, ntp_packet.request())) == 1


def test_network_cards_that_stamp_nothing_are_named_and_the_kernel_stamps(net, ntsd):
    server = ntsd(set_values=['workers.hardware-timestamps=["lo", "absent0"]', "log.format=json"]).start()
    records = [json.loads(line) for line in server.output().splitlines()]
    whys = {record["interface"]: record["why"] for record in records if "network card" in record["message"]}
    assert whys == {"lo": "its card or driver stamps nothing that it receives", "absent0": "there is no such interface"}
    assert len(ntp_packet.ask(net.client, Net.SERVER_V4[0], NTP_PORT, ntp_packet.request(version=4))) == 1
    cards = server.report("status")["cards"]
    assert [(card["interface"], card["is_used"], card["detail"]) for card in cards] == [(name, False, why) for name, why in whys.items()]
    assert "the kernel stamps; there is no such interface" in server.ctl("status").stdout
    assert server.metrics()['ntsd_card_stamps_in_use{interface="lo"}'] == 0
    assert server.metric("ntp_port_events_total", event="stamp_missing") == 0
    assert server.metric("ntp_port_events_total", event="received") > 0
    server.stop()
