"""A configuration that is read again: nothing under way is lost, the report says what happened, and a bad file changes nothing."""

import json
import shutil
import signal
import time

import pytest

from lab.namespaces import Net
from lab.ntp_packet import ask, request
from lab.ntsd import KE_PORT, NTP_PORT
from lab.paths import program
from lab.process import Process, run, wait_until

SERVER = Net.SERVER_V4[0]
SECONDS = 3  # of load
NAMES = {"dns": ["ntsd.test", "localhost"], "ip": ["127.0.0.1", "::1", *Net.SERVER_V4, *Net.SERVER_V6]}


@pytest.fixture
def two_certificates(authority):
    return authority.issue("first.test", **NAMES), authority.issue("second.test", **NAMES)


def edit(server, *changes):
    """Replaces texts of the configuration."""
    text = server.config.read_text()
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after, 1)
    server.config.write_text(text)


def replace_file(path, source):
    """As a careful writer does it: complete, then in its place."""
    new = path.with_suffix(".new")
    shutil.copy(source, new)
    new.rename(path)


def two_key_rings(ntsd, folder):
    """Files of one ring before and after a rotation."""
    owner = ntsd().start()
    files = []
    for name in ("before", "after"):
        files.append(folder / name)
        shutil.copy(owner.keys, files[-1])
        owner.ctl("keys", "rotate")
    assert owner.stop() == 0
    return files


def loads(net, server, authority):
    """(kind, running ntsload, file of its result) for plain NTP, NTS and NTS-KE."""
    common = ["--seconds", SECONDS, "--quiet", "--timeout", 5]
    trusted = ["--ke-port", KE_PORT, "--ca", authority.ca]
    kinds = {
        "plain": ["ntp", SERVER, "--plain", "--ntp-port", NTP_PORT, "--rate", 400],
        "nts": ["ntp", SERVER, *trusted, "--cookies", "fresh", "--clients", 10, "--rate", 300],
        "ke": ["ke", SERVER, *trusted, "--rate", 12],
    }
    for kind, words in kinds.items():
        result = server.folder / f"{kind}.json"
        words = [program("ntsload"), *words, *common, "--json", result]
        yield kind, Process(words, server.folder / f"{kind}.log", net.client), result


def outcome(result):
    """(how many, {how they ended: how many}) of a result of ntsload."""
    if result["kind"] == "ke":
        (row,) = result["endings"].values()
        return row.pop("ended"), row
    return result["answers"]["sent"], {kind: count for kind, count in result["answers"]["kinds"].items() if count}


def test_reloads_under_load_lose_nothing(net, ntsd, authority, two_certificates, tmp_path):
    """R-SEC-13, and the same for all else that can be read again."""
    rings = two_key_rings(ntsd, tmp_path)
    server = ntsd(certificate=two_certificates[0])
    # Beside the keys: what the sandbox does not know of would have to wait for a restart.
    tokens = server.folder / "tokens"
    tokens.write_text("a-token-of-a-pool\n")
    edit(server, ("[keys]", '[keys]\nsource = "follow"'))
    replace_file(server.keys, rings[0])
    # Everything that the interface calls reloadable, there and back.
    there = [
        ("[limits.ntp]\nrate = 0", "[limits.ntp]\nrate = 5000\nburst = 5000\nclients = true"),
        ("[limits.ke]\nrate = 0", "[limits.ke]\nrate = 1000\nburst = 1000"),
        ("[metrics]", '[access]\ndeny = ["203.0.113.0/24"]\n[log]\nlevel = "debug"\n[metrics]'),
        (str(two_certificates[0][0]), str(two_certificates[1][0])),
        (f'{two_certificates[0][1]}" }}]', f'{two_certificates[1][1]}" }}]\npool-tokens = "{tokens}"'),
    ]
    texts = [server.config.read_text()]
    edit(server, *there)
    texts.append(server.config.read_text())
    server.config.write_text(texts[0])
    server.start()

    running = list(loads(net, server, authority))
    wait_until(lambda: server.metric("ntp_responses_total", kind="nts") > 10, 20, "the first answers")
    reloads = 0
    while running[1][1].running():
        reloads += 1
        server.config.write_text(texts[reloads % 2])
        if reloads == 2:
            replace_file(server.keys, rings[1])
        if reloads % 3 == 0:
            server.process.popen.send_signal(signal.SIGHUP)
            wait_until(lambda: server.metric("reload_total", result="ok") == reloads, 20, f"reload {reloads}")
        else:
            report = json.loads(server.ctl("--json", "reload").stdout)["result"]
            assert {"access.deny", "limits.ntp.rate", "limits.ke.rate", "log.level", "ke[0].certificates",
                    "ke[0].pool-tokens"} <= set(report["applied"]), report
        time.sleep(0.1)
    for kind, generator, result in running:
        assert generator.wait(30) == 0, generator.output()
        total, ends = outcome(json.loads(result.read_text()))
        assert ends == {"ok": total} and total > 10, kind
    assert reloads >= 4
    assert server.metric("reload_total", result="ok") == reloads and server.metric("reload_total", result="failed") == 0
    assert server.metric("ntp_dropped_total") == server.metric("ntp_socket_drops_total") == 0
    assert server.stop() == 0


def test_the_report_names_what_changed_what_waits_and_every_certificate(ntsd, two_certificates):
    first, second = two_certificates
    server = ntsd(certificate=first).start()
    report = json.loads(server.ctl("reload", "--json").stdout)["result"]
    assert report["is_good"] and report["applied"] == report["needs_restart"] == []
    (certificate,) = report["certificates"]
    assert certificate["name"] == "ntsd.test" and certificate["chain"] == str(first[0]) and not certificate["is_new"]
    assert 86400 < certificate["expires_at"] - time.time() < 2 * 86400 + 60
    edit(server, ("rate = 0", "rate = 9"), ("[reference]", "[workers]\nntp = 7\n[reference]"),
         (str(first[0]), str(second[0])), (str(first[1]), str(second[1])))
    report = json.loads(server.ctl("reload", "--json").stdout)["result"]
    assert sorted(report["applied"]) == ["ke[0].certificates", "limits.ntp.rate"]
    assert report["needs_restart"] == ["workers.ntp"]
    assert [(one["chain"], one["is_new"]) for one in report["certificates"]] == [(str(second[0]), True)]
    # The same for people, where what waits for a restart is said each time, and in the log.
    text = server.ctl("reload").stdout
    assert "needs a restart: workers.ntp" in text and "certificate ntsd.test ends 20" in text and "as before" in text
    (logged,) = [line for line in server.output().splitlines() if "reloaded" in line and "limits.ntp.rate" in line]
    assert "needs-restart=workers.ntp" in logged and "ntsd.test until 20" in logged and ", new" in logged


def test_what_is_read_again_is_in_force(net, ntsd):
    server = ntsd().start()
    address = Net.CLIENT_V4
    assert len(ask(net.client, SERVER, NTP_PORT, request())) == 1
    edit(server, ("[metrics]", f'[access]\ndeny = ["{address}/32"]\n[metrics]'))
    server.ctl("reload")
    run([program("ntsctl"), "query", SERVER, "--plain", "--ntp-port", NTP_PORT, "--count", 1, "--timeout", 0.3],
        namespace=net.client, check=False)
    assert server.metric("ntp_dropped_total", reason="access_denied") == 1
    edit(server, (f'deny = ["{address}/32"]', "deny = []"))
    server.process.popen.send_signal(signal.SIGHUP)
    wait_until(lambda: server.metric("reload_total", result="ok") == 2, 10, "the second reload")
    assert len(ask(net.client, SERVER, NTP_PORT, request())) == 1


@pytest.mark.parametrize(("before", "after", "words"), [
    ("rate = 0", 'rate = "none"', "limits.ntp.rate: expected a number"),
    ("[metrics]", '[acess]\ndeny = ["192.0.2.0/24"]\n[metrics]', "did you mean access?"),
    (".pem\", key", ".nowhere\", key", "No such file"),
], ids=["a wrong type", "an unknown table", "no certificate"])
def test_a_bad_file_changes_nothing_and_says_why(net, ntsd, before, after, words):
    server = ntsd().start()
    # Good in itself, and not taken over with the rest.
    edit(server, ("[metrics]", '[access]\nallow = ["192.0.2.0/24"]\n[metrics]'), (before, after))
    done = server.ctl("reload", check=False)
    assert done.returncode == 1 and "nothing was changed" in done.stdout and words in done.stdout
    assert len(ask(net.client, SERVER, NTP_PORT, request())) == 1
    status = json.loads(server.ctl("--json", "status").stdout)["result"]
    assert not status["last_reload"]["is_good"] and words in status["last_reload"]["problem"]
    assert server.metric("reload_total", result="failed") == 1
