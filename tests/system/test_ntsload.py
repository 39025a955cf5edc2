"""ntsload against a real ntsd: what it tells is what happened, and it loads nobody else's server."""

import json
import signal
import subprocess
import time

import pytest

from lab.namespaces import Net
from lab.ntsd import KE_PORT, NTP_PORT
from lab.paths import program
from lab.process import Process, run, wait_until

SERVER = Net.SERVER_V4[0]


def load(net, authority, *words, check=True):
    """Runs ntsload in the client's namespace: (its JSON, what it said on stderr). One second of load, if nothing else is said."""
    kind = words[0]
    more = [] if kind == "report" else ["--quiet", "--json", "-", "--ke-port", KE_PORT, "--ca", authority.ca]
    if kind != "report" and "--seconds" not in words and kind != "sweep":
        more += ["--seconds", 1]
    done = run([program("ntsload"), *words, *more], namespace=net.client, timeout=60, check=check)
    return json.loads(done.stdout) if check and kind != "report" else done


def kinds(result):
    """The kinds of answers that occurred."""
    return {kind: count for kind, count in result["answers"]["kinds"].items() if count}


@pytest.mark.parametrize("aead", [15, 17, 30])
def test_fresh_cookies_are_verified_and_open(net, ntsd, authority, aead):
    server = ntsd().start()
    result = load(net, authority, "ntp", SERVER, "--aead", aead, "--cookies", "fresh", "--rate", 500, "--clients", 20,
                  "--server-pid", server.process.pid)
    assert kinds(result) == {"ok": result["answers"]["sent"]} and result["answers"]["sent"] >= 400
    assert result["verified"] == result["answers"]["sent"]
    assert result["cookies_opened"] > result["answers"]["sent"] / 2
    assert result["loss"] == 0 and result["answers"]["unexpected"] == 0
    assert server.metric("ntp_responses_total", kind="nts") == result["answers"]["sent"]
    assert server.metric("ke_connections_total", result="served") == server.metric("ke_aead_total", aead=aead) == 20


def test_result_tells_everything(net, ntsd, authority):
    server = ntsd().start()
    result = load(net, authority, "ntp", SERVER, "--rate", 200, "--clients", 5, "--placeholders", 3, "--arrivals", "poisson",
                  "--stamps", 10, "--server-pid", server.process.pid, "--threads", 2)
    assert result["kind"] == "ntp" and result["target"]["address"] == f"{SERVER}:{NTP_PORT}"
    for field in ("date", "cpu", "kernel", "command", "aead_implementation", "load_average"):
        assert result["host"][field] not in ("", None), field
    assert result["settings"]["placeholders"] == 3 and result["settings"]["arrivals"] == "poisson"
    latency = result["latency"]
    assert 0 < latency["p50_us"] <= latency["p90_us"] <= latency["p99_us"] <= latency["p99.9_us"] <= latency["max_us"]
    assert latency["percentiles"][-1] == [100, latency["max_us"]]
    assert result["server_cpu_s"] > 0 and result["server_us_per_answer"] > 0 and result["own_cpu_s"] > 0
    stamps = result["stamps"]
    assert stamps["receive_error"]["count"] >= 10
    # The request leaves before it arrives, and on one machine both take microseconds.
    assert 0 <= stamps["receive_error"]["p50_us"] < 10_000 and stamps["transmit_error"]["p50_us"] < 50_000


@pytest.mark.parametrize("address", [SERVER, Net.SERVER_V6[0]], ids=["ipv4", "ipv6"])
def test_plain_versions(net, ntsd, authority, address):
    server = ntsd().start()
    for version in (1, 2, 3, 4):
        result = load(net, authority, "ntp", address, "--plain", "--ntp-version", version, "--ntp-port", NTP_PORT, "--rate", 100,
                      "--seconds", 0.3)
        assert set(kinds(result)) == {"ok"} and result["answers"]["sent"] >= 20
        assert server.metric("ntp_requests_total", version=version, kind="plain") == result["answers"]["sent"]


def test_spoiled_requests_are_told_apart(net, ntsd, authority):
    server = ntsd().start()
    result = load(net, authority, "ntp", SERVER, "--rate", 1000, "--forged", 0.2, "--stale", 0.2, "--garbage", 0.2)
    by_request = result["answers"]["by_request"]
    assert set(by_request) == {"good", "forged", "stale", "garbage"}
    for request, kind in (("good", "ok"), ("forged", "nak"), ("stale", "nak"), ("garbage", "silence")):
        assert by_request[request] == {"sent": by_request[request]["sent"], kind: by_request[request]["sent"]}, request
    assert server.metric("ntp_responses_total", kind="nak") == by_request["forged"]["sent"] + by_request["stale"]["sent"]
    assert result["answers"]["unexpected"] == 0 and result["loss"] == 0


def test_rate_limits_show_as_rate_and_lost(net, ntsd, authority):
    ntsd(set_values=["limits.ntp.rate=1", "limits.ntp.burst=8", "limits.ntp.leak=0", "limits.ntp.kod=0.5"]).start()
    found = kinds(load(net, authority, "ntp", SERVER, "--rate", 300, "--timeout", 0.3))
    assert found["ok"] >= 8 and found["rate"] > 50 and found["lost"] > 50


def test_denied_plain_requests_are_deny(net, ntsd, authority):
    ntsd(set_values=['ntp[0].require-nts="deny"']).start()
    result = load(net, authority, "ntp", SERVER, "--plain", "--ntp-port", NTP_PORT, "--rate", 100)
    assert set(kinds(result)) == {"deny"} and result["answers"]["unexpected"] == result["answers"]["sent"]


def test_a_stalled_server_cannot_hide_its_latency(net, ntsd, authority):
    """The loop is open: requests go on while the server stands still, and each counts from when it was meant to be sent."""
    server = ntsd().start()
    words = [program("ntsload"), "ntp", SERVER, "--ke-port", KE_PORT, "--ca", authority.ca, "--clients", 4, "--rate", 500,
             "--seconds", 2, "--json", server.folder / "result.json"]
    generator = Process(words, server.folder / "generator.log", net.client)
    wait_until(lambda: server.metric("ntp_responses_total", kind="nts") > 100, 20, "the first answers")
    server.process.popen.send_signal(signal.SIGSTOP)
    time.sleep(0.3)
    server.process.popen.send_signal(signal.SIGCONT)
    assert generator.wait(30) == 0, generator.output()
    result = json.loads((server.folder / "result.json").read_text())
    assert kinds(result) == {"ok": result["answers"]["sent"]}
    # 150 of 1000 requests met the stall, and waited 150 ms on average.
    assert result["latency"]["p90_us"] > 50_000, result["latency"]
    assert result["latency"]["max_us"] > 280_000


def test_closed_loop_keeps_its_window(net, ntsd, authority):
    server = ntsd().start()
    result = load(net, authority, "ntp", SERVER, "--window", 4, "--clients", 10, "--seconds", 0.5)
    assert set(kinds(result)) == {"ok"} and result["answers"]["sent"] > 50
    assert result["settings"]["loop"] == "closed" and result["settings"]["rate"] is None
    assert server.metric("ntp_socket_drops_total") == 0


def test_nobody_there_is_told(net, ntsd, authority):
    result = load(net, authority, "ntp", SERVER, "--plain", "--ntp-port", 9, "--rate", 100, "--timeout", 0.2, "--seconds", 0.3)
    assert set(kinds(result)) == {"lost"} and result["loss"] == 1 and result["port_unreachable"] > 0
    refused = load(net, authority, "ntp", SERVER, check=False)
    assert refused.returncode == 1 and "not_accepted" in refused.stderr


def test_key_establishment_by_phase_and_by_kind(net, ntsd, authority):
    server = ntsd(set_values=['ke[0].timeout="500ms"']).start()
    result = load(net, authority, "ke", SERVER, "--rate", 60, "--seconds", 2, "--server-pid", server.process.pid,
                  "--misbehave", "half-open=0.1,garbage=0.15,wrong-alpn=0.15,oversized=0.15,slow=0.1")
    assert sum(row["ended"] for row in result["endings"].values()) == result["started"] >= 100
    assert set(result["endings"]["honest"]) == {"ended", "ok"}
    assert set(result["endings"]["wrong-alpn"]) == {"ended", "tls_refused"}
    # The server gives up on those who are too slow; nobody gets cookies who should not.
    for behaviour in ("half-open", "garbage", "slow", "oversized"):
        assert "ok" not in result["endings"][behaviour], result["endings"]
    for phase in ("connect", "tls", "exchange", "total"):
        assert result[phase]["count"] == result["endings"]["honest"]["ok"] and result[phase]["p50_us"] > 0
    assert result["server_us_per_handshake"] > 0


def test_sweep_finds_a_rate_and_draws_a_curve(net, ntsd, authority, tmp_path):
    server = ntsd().start()
    result = load(net, authority, "sweep", SERVER, "--from", 200, "--to", 400, "--step-seconds", 0.2, "--repeats", 2,
                  "--p99", 2000, "--overload", 1, "--server-pid", server.process.pid)
    assert result["found"] == [400, 400] and result["hit_the_ceiling"] and result["median"] == 400
    assert [round(point["rate"]) for point in result["curve"]][-1] == 400 and len(result["curve"]) == 11
    assert all(point["server_us_per_answer"] > 0 for point in result["curve"])
    (tmp_path / "sweep.json").write_text(json.dumps(result))
    run([program("ntsload"), "report", tmp_path / "sweep.json", "-o", tmp_path / "page.html"])
    page = (tmp_path / "page.html").read_text()
    assert page.startswith("<!DOCTYPE html>") and "Answers against offered load" in page and "http" not in page


@pytest.mark.parametrize("engine", ["blocking", "recvmmsg-send", "recvmmsg-sendmmsg", "io_uring"])
def test_echo_sends_everything_back(net, authority, tmp_path, engine):
    words = [program("ntsecho"), "--listen", f"{SERVER}:9123", "--engine", engine, "--receive-stamps", "--packet-info"]
    echo = Process(words, tmp_path / "echo.log", net.server)
    wait_until(lambda: "ntsecho:" in echo.output() or not echo.running(), 10, "the echo's socket")
    if engine == "io_uring" and "io_uring" in echo.output() and not echo.running():
        pytest.skip("this kernel has no io_uring for us")
    result = load(net, authority, "ntp", SERVER, "--echo", "--ntp-port", 9123, "--rate", 500, "--seconds", 0.5)
    assert set(kinds(result)) == {"ok"} and result["answers"]["sent"] > 200, result["answers"]
    assert echo.stop(signal.SIGTERM) == 0
    told = json.loads(echo.output().splitlines()[-1])
    assert told["received"] == told["sent"] == result["answers"]["sent"] and told["send_failed"] == 0


INTERLEAVED = ["--interleaved", "--clients", 2, "--rate", 50, "--stamps", 1, "--seconds", 2]


def assert_interleaved(result):
    assert set(kinds(result)) == {"ok"}
    assert result["interleaved_answers"] > 50, result["interleaved_answers"]
    assert result["stamps"]["interleaved"] > 50


@pytest.mark.parametrize("kind", ["plain", "nts"])
def test_interleaved_answers(net, ntsd, authority, kind):
    server = ntsd().start()
    words = ["--plain", "--ntp-port", NTP_PORT] if kind == "plain" else []
    result = load(net, authority, "ntp", SERVER, *words, *INTERLEAVED)
    assert_interleaved(result)
    assert server.metric("ntp_interleaved_total") == result["interleaved_answers"]


def test_interleaved_answers_of_chronyd(net, chronyd, authority):
    chronyd(net.server, "local stratum 10", "allow", f"port {NTP_PORT}")
    assert_interleaved(load(net, authority, "ntp", SERVER, "--plain", "--ntp-port", NTP_PORT, *INTERLEAVED))


def test_many_source_addresses(net, ntsd, authority):
    net.client.ip("route", "add", "local", "198.51.100.0/24", "dev", "lo")
    net.server.ip("route", "add", "198.51.100.0/24", "dev", "to-client")
    ntsd(set_values=["limits.ntp.rate=1", "limits.ntp.burst=1", "limits.ntp.leak=0", "limits.ntp.kod=0"]).start()
    words = ("ntp", SERVER, "--plain", "--ntp-port", NTP_PORT, "--rate", 100, "--sockets", 50, "--timeout", 0.3, "--seconds", 0.5)
    one = kinds(load(net, authority, *words))
    many = kinds(load(net, authority, *words, "--source", "198.51.100.0/24"))
    assert one["ok"] < 10 and many["ok"] > 40, (one, many)


def test_guard_refuses_servers_of_others(net, ntsd, authority):
    ntsd().start()
    words = ("--plain", "--ntp-port", NTP_PORT, "--rate", 50, "--seconds", 0.2)
    outside = run([program("ntsload"), "ntp", "192.0.2.1", *words], timeout=20, check=False)
    assert outside.returncode == 1 and "refusing to load 192.0.2.1" in outside.stderr
    assert load(net, authority, "ntp", SERVER, *words)["answers"]["sent"] > 5, "the neighbour in a network made for the test"
    net.client.ip("route", "add", "default", "via", SERVER)
    refused = load(net, authority, "ntp", SERVER, *words, check=False)
    assert refused.returncode == 1 and "way out" in refused.stderr
    beyond = load(net, authority, "ntp", "203.0.113.5", *words, check=False)
    assert beyond.returncode == 1 and "gateway" in beyond.stderr
    assert load(net, authority, "ntp", SERVER, *words, "--i-own-this-server")["answers"]["sent"] > 5


def test_guard_also_looks_at_the_server_that_key_establishment_names(net, ntsd, authority):
    ntsd(set_values=['ke[0].ntp-server="203.0.113.5"']).start()
    refused = load(net, authority, "ntp", SERVER, check=False)
    assert refused.returncode == 1 and "203.0.113.5" in refused.stderr and "refusing" in refused.stderr


def test_interrupted_run_tells_what_it_has_found(net, ntsd, authority):
    server = ntsd().start()
    words = [program("ntsload"), "ntp", SERVER, "--ke-port", KE_PORT, "--ca", authority.ca, "--clients", 2, "--rate", 100,
             "--seconds", 60, "--json", server.folder / "result.json"]
    generator = Process(words, server.folder / "generator.log", net.client)
    wait_until(lambda: server.metric("ntp_responses_total", kind="nts") > 20, 20, "the first answers")
    assert generator.stop(signal.SIGINT) == 0, generator.output()
    result = json.loads((server.folder / "result.json").read_text())
    assert 0 < result["seconds"] < 30 and set(kinds(result)) == {"ok"}


def test_wrong_command_line_ends_with_two():
    for words in ([], ["ntp"], ["ntp", "127.0.0.1", "--aead", "16"], ["report"]):
        assert subprocess.run([program("ntsload"), *words], capture_output=True, check=False).returncode == 2, words
    done = run([program("ntsload"), "report", "/nowhere.json"], check=False)
    assert done.returncode == 1 and "/nowhere.json" in done.stderr
