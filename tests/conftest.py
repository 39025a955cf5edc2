"""Fixtures of the tests that run whole programs. What they are made of is in tests/support/lab."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "support"))

from lab import namespaces  # noqa: E402
from lab.certificates import Authority  # noqa: E402
from lab.chrony import Chronyd  # noqa: E402
from lab.ntpsec import Ntpd  # noqa: E402
from lab.ntsd import Ntsd  # noqa: E402


@pytest.fixture(scope="session")
def _namespaces():
    reason = namespaces.why_unavailable()
    if reason:
        pytest.skip(f"{reason}; as root, or by `unshare -Urn` where the system allows that, this test runs")


@pytest.fixture
def net(_namespaces):
    """A server's and a client's network namespace with a cable between them."""
    both = namespaces.Net()
    yield both
    both.close()


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def certificate(authority):
    """(chain, key) for every name and address by which tests reach the server."""
    return authority.issue(
        "ntsd.test", dns=["ntsd.test", "localhost"],
        ip=["127.0.0.1", "::1", *namespaces.Net.SERVER_V4, *namespaces.Net.SERVER_V6],
    )


@pytest.fixture
def ntsd(net, certificate):
    """ntsd(…) makes an ntsd in the server's namespace, not yet started; arguments as of lab.ntsd.Ntsd."""
    made = []

    def make(**arguments):
        made.append(Ntsd(arguments.pop("namespace", net.server), arguments.pop("certificate", certificate), **arguments))
        return made[-1]

    yield make
    for one in made:
        print(f"--- what ntsd wrote:\n{one.output()}")  # pytest shows it when the test failed
        one.close()


@pytest.fixture
def chronyd():
    """chronyd(namespace, *lines) starts a chronyd with these configuration lines; environment={…} is added to its own,
    release="bookworm" or "trixie" takes the chronyd of that Debian."""
    yield from _daemons(Chronyd)


@pytest.fixture
def ntpd():
    """ntpd(namespace, *lines) starts NTPsec's ntpd with these configuration lines."""
    yield from _daemons(Ntpd)


def _daemons(kind):
    started = []

    def start(namespace, *lines, **arguments):
        started.append(kind(namespace, *lines, **arguments))
        return started[-1]

    yield start
    for one in started:
        print(f"--- what {kind.__name__.lower()} wrote:\n{one.process.output()}")
        one.stop()
