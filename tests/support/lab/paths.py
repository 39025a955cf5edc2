"""Where things stand in the tree."""

import functools
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]

# The build whose programs are tested: build/release unless NTSD_BUILD names another preset.
BUILD = ROOT / "build" / os.environ.get("NTSD_BUILD", "release")


def program(name):
    """The path of one of our programs; the test fails in plain words when it was not built."""
    path = BUILD / "bin" / name
    assert path.is_file(), f"{path} is not built: tests/run.sh builds it, or cmake --build --preset {BUILD.name}"
    return path


@functools.cache
def _brought(name):
    """(folder, libraries, None) of what deploy/peers.sh brings under this name, or (None, None, why it cannot)."""
    done = subprocess.run([ROOT / "deploy" / "peers.sh", name], capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        return None, None, done.stderr.strip()
    folder = pathlib.Path(done.stdout.strip())
    return folder, (folder / ".libraries").read_text().strip(), None


def peer(name):
    """The folder of an unpacked package of another project and the LD_LIBRARY_PATH to run its programs with."""
    folder, libraries, error = _brought(name)
    assert error is None, error
    return folder, libraries


def own_release():
    """The code name of the system that the tests run on, such as bookworm."""
    found = re.search(r"^VERSION_CODENAME=(\w+)", pathlib.Path("/etc/os-release").read_text(), re.MULTILINE)
    return found.group(1) if found else ""


def peer_program(package, path, release=None):
    """(argv, environment, folder) to start the program at `path` of an unpacked package of this machine's release, or of
    another Debian release, "bookworm" or "trixie". That one runs with its own loader and libraries and sees the files and the
    network of whoever starts it. The test skips itself where such a release cannot be had."""
    if release in (None, own_release()):
        folder, libraries = peer(package)
        return [folder / path], {"LD_LIBRARY_PATH": libraries} if libraries else {}, folder
    folder, libraries, error = _brought(release)
    if error:
        pytest.skip(f"programs of {release} cannot be brought here: {error.splitlines()[0]}")
    return [folder / ".loader", "--library-path", libraries, folder / path], {}, folder
