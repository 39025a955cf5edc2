"""Where time comes from, with real chronyds: started, stopped, cut off from their own source, and set behind their back.

The program under test is reference_probe: the watcher and its sources, printing what the server would tell its clients.
chronyd never touches the machine's clock (-x); where a clock is stepped, libfaketime shows another time to the programs
that have to see it, and to nobody else. The monotonic clocks stay true, as they do when a real clock is set.
"""

import collections
import json
import os
import subprocess
import threading
import time

import pytest
from lab.namespaces import Net
from lab.paths import BUILD, peer
from lab.process import wait_until

NTP_PORT = 11230
COMMAND_PORT = 11323
UPSTREAM = ["local stratum 3", f"port {NTP_PORT}", "bindaddress 127.0.0.1", "allow 127.0.0.1"]
FOLLOWER = [f"server 127.0.0.1 port {NTP_PORT} iburst minpoll 0 maxpoll 0", "port 0"]
# chronyd's own answers to strangers come on this port; lab.chrony sets "cmdport 0" before, and the last one counts.
BY_UDP = [f"cmdport {COMMAND_PORT}"]


class Probe:
    """reference_probe in a namespace; `.now` is what it said last."""

    def __init__(self, namespace, kind, address, distance_ms=1000, environment=None):
        program = BUILD / "tests" / "reference_probe"
        assert program.is_file(), f"{program} is not built: cmake --build --preset {BUILD.name} --target reference_probe"
        with namespace:
            self.popen = subprocess.Popen(
                [program, kind, str(address), str(distance_ms)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                env=dict(os.environ, **(environment or {})),
            )
        self.seen = collections.deque(maxlen=5000)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        for line in self.popen.stdout:
            self.seen.append(json.loads(line))

    @property
    def now(self):
        return self.seen[-1] if self.seen else {"condition": None, "fit": False, "epoch": 0}

    def until(self, condition, timeout=30):
        """The first line that fulfils the condition, of those from now on."""
        try:
            return wait_until(lambda: (lambda now: now if condition(now) else None)(self.now), timeout, "the probe")
        except AssertionError as error:
            raise AssertionError(f"{error}; it says {self.now}") from None

    def stop(self):
        self.popen.stdin.close()
        try:
            self.popen.wait(10)
        finally:
            self.popen.kill()
            self._reader.join()
            self.popen.stdout.close()


@pytest.fixture
def probe(net):
    made = []

    def start(*arguments, **named):
        made.append(Probe(net.server, *arguments, **named))
        return made[-1]

    yield start
    for one in made:
        one.stop()


def settled(follower):
    """Waits until this chronyd is sure of its frequency. Before, it lets its dispersion grow by up to a second a second."""
    wait_until(lambda: 0 < float(follower.command("tracking")[0][9]) < 5, 30, "chronyd knows its frequency")


class FakeTime:
    """An environment whose wall clock can be stepped."""

    def __init__(self, folder):
        self._file = folder / "offset"
        self.step_to(0)
        library = peer("libfaketime")[0] / "usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
        assert library.is_file()
        self.environment = {
            "LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(self._file), "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
        }

    def step_to(self, seconds):
        beside = self._file.with_suffix(".new")
        beside.write_text(f"{seconds:+}\n")
        beside.rename(self._file)


def test_mirrors_chronyd(net, chronyd, probe):
    chronyd(net.server, *UPSTREAM)
    follower = chronyd(net.server, *FOLLOWER, *BY_UDP)
    state = probe("chrony", f"127.0.0.1:{COMMAND_PORT}").until(lambda now: now["fit"])
    row = follower.command("tracking")[0]
    assert state["reference_id"] == row[0].lower() == "7f000001"
    assert state["stratum"] == int(row[2]) == 4
    assert state["root_delay"] == pytest.approx(float(row[10]), abs=1e-3)
    assert 0 < state["root_dispersion"] < 0.01
    assert 0 <= state["reference_age"] < 5
    assert state["leap"] == 0


def test_starts_before_chronyd_and_survives_its_restarts(net, chronyd, probe):
    watched = probe("chrony", f"127.0.0.1:{COMMAND_PORT}")
    watched.until(lambda now: now["fault"] == "not-running" if now["condition"] else False)
    assert watched.now["condition"] == "waiting for the source"
    assert not watched.now["fit"]
    chronyd(net.server, *UPSTREAM)
    follower = chronyd(net.server, *FOLLOWER, *BY_UDP)
    settled(follower)
    synchronized = watched.until(lambda now: now["fit"] and now["root_dispersion"] < 1e-3)

    follower.process.stop()
    lost = watched.until(lambda now: now["condition"] == "source lost, clock running on")
    assert lost["fit"] and lost["stratum"] == 4
    time.sleep(1)
    assert watched.now["root_dispersion"] > lost["root_dispersion"] >= synchronized["root_dispersion"]

    chronyd(net.server, *FOLLOWER, *BY_UDP)
    # Its first samples may be poor.
    watched.until(lambda now: now["condition"] == "synchronized" and now["root_dispersion"] < lost["root_dispersion"] + 1e-3)


def test_believes_a_chronyd_that_is_not_synchronized(net, chronyd, probe):
    chronyd(net.server, *FOLLOWER, *BY_UDP)  # of a server that is not there
    watched = probe("chrony", f"127.0.0.1:{COMMAND_PORT}")
    watched.until(lambda now: now["condition"] == "the source is not synchronized")
    assert not watched.now["fit"] and watched.now["stratum"] == 0 and watched.now["leap"] == 3
    chronyd(net.server, *UPSTREAM)
    watched.until(lambda now: now["fit"])


def test_knows_when_chronyd_loses_its_source(net, chronyd, probe):
    upstream = chronyd(net.server, *UPSTREAM)
    # maxdistance and the clock error are chosen so that chronyd itself gets unsure within seconds.
    settled(chronyd(net.server, *FOLLOWER, *BY_UDP, "maxclockerror 20000"))
    watched = probe("chrony", f"127.0.0.1:{COMMAND_PORT}", distance_ms=200)
    before = watched.until(lambda now: now["fit"])
    upstream.process.stop()
    # 20,000 ppm by chronyd's own account: 0.2 s after ten seconds.
    unfit = watched.until(lambda now: now["condition"] == "beyond the largest distance" and not now["fit"])
    assert unfit["stratum"] == 0 and unfit["leap"] == 3
    assert unfit["root_dispersion"] > before["root_dispersion"] + 0.15
    chronyd(net.server, *UPSTREAM)
    watched.until(lambda now: now["fit"])


def test_asks_by_the_unix_socket(net, chronyd, probe):
    chronyd(net.server, *UPSTREAM)
    follower = chronyd(net.server, *FOLLOWER)
    watched = probe("chrony", follower.socket)
    assert watched.until(lambda now: now["fit"])["stratum"] == 4
    watched.stop()
    left = [path.name for path in follower.socket.parent.iterdir() if path.name.startswith("ntsd")]
    assert left == [], "our end of the conversation is removed"


def test_mirrors_chronyd_by_ntp(net, chronyd, probe):
    chronyd(net.server, *UPSTREAM)
    state = probe("ntp", f"127.0.0.1:{NTP_PORT}").until(lambda now: now["fit"])
    assert state["stratum"] == 3 and abs(state["offset"]) < 0.05


def test_mirrors_ntpd_by_ntp(net, chronyd, ntpd, probe):
    # ntpd has no other port than 123, so its own source stands in the other namespace.
    chronyd(net.client, "local stratum 3", "allow all")
    ntpd(net.server, f"server {Net.CLIENT_V4} minpoll 0 maxpoll 3 iburst")
    state = probe("ntp", "127.0.0.1:123").until(lambda now: now["fit"], timeout=60)
    assert state["stratum"] == 4 and state["reference_id"] == "c0000202"
    assert abs(state["offset"]) < 0.05


def test_a_step_of_the_clock_is_doubted_until_chronyd_has_found_it(net, chronyd, probe, tmp_path):
    faked = FakeTime(tmp_path)
    chronyd(net.server, *UPSTREAM)
    chronyd(net.server, *FOLLOWER, *BY_UDP, environment=faked.environment)
    watched = probe("chrony", f"127.0.0.1:{COMMAND_PORT}", environment=faked.environment)
    before = watched.until(lambda now: now["fit"])
    watched.seen.clear()

    faked.step_to(3)  # by somebody else: neither chronyd nor we were told
    watched.until(lambda now: now["epoch"] == before["epoch"] + 1)
    found = watched.until(lambda now: now["condition"] == "beyond the largest distance")
    assert found["offset"] == pytest.approx(-3, abs=0.3), "chronyd has found out, and says what is wrong"
    said = [one for one in watched.seen if one["epoch"] > before["epoch"]]
    assert not any(one["fit"] for one in said), "not for a moment was a wrong clock vouched for"

    watched.seen.clear()
    faked.step_to(0)  # what chronyd asked for
    fit = watched.until(lambda now: now["fit"] and now["epoch"] == before["epoch"] + 2, timeout=60)
    assert abs(fit["offset"]) <= fit["root_dispersion"], "what chronyd is not sure of is told"


def test_chronyd_that_is_stepped_itself(net, chronyd, probe, tmp_path):
    """The source's source is stepped: chronyd's clock is wrong all at once, and ours with it."""
    faked = FakeTime(tmp_path)
    chronyd(net.server, *UPSTREAM, environment=faked.environment)
    chronyd(net.server, *FOLLOWER, *BY_UDP)
    watched = probe("chrony", f"127.0.0.1:{COMMAND_PORT}")
    before = watched.until(lambda now: now["fit"])
    faked.step_to(5)
    unfit = watched.until(lambda now: not now["fit"], timeout=60)
    assert unfit["epoch"] == before["epoch"], "our own clock was not stepped"
    watched.until(lambda now: now["offset"] > 4, timeout=60)
    assert not watched.now["fit"]
    faked.step_to(0)
    watched.until(lambda now: now["fit"], timeout=60)
