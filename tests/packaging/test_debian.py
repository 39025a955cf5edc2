"""deploy/debian: the packages build, hold what a server needs, and what they hold works."""

import os
import re
import shutil
import subprocess

import pytest

from lab.paths import ROOT
from lab.process import run

OUT = ROOT / "build/debian"
BUILD_SECONDS = 3600
# Of the package ntsd: each is where Debian and the manual say.
FILES = [
    "usr/sbin/ntsd", "usr/bin/ntsctl", "etc/ntsd/ntsd.toml", "usr/share/man/man8/ntsd.8.gz", "usr/share/man/man8/ntsctl.8.gz",
    "usr/share/man/man5/ntsd.toml.5.gz", "usr/lib/sysusers.d/ntsd.conf", "usr/lib/tmpfiles.d/ntsd.conf",
    "usr/share/bash-completion/completions/ntsctl", "usr/share/zsh/vendor-completions/_ntsctl",
    "usr/share/fish/vendor_completions.d/ntsctl.fish", "usr/share/ntsd/prometheus/ntsd-rules.yml",
    "usr/share/ntsd/grafana/ntsd.json", "usr/share/ntsd/certbot/ntsd-deploy-hook", "usr/share/doc/ntsd/copyright",
]
UNITS = ["ntsd.service", "ntsd.socket"]


@pytest.fixture(scope="session")
def packages():
    """{name: .deb}, newly built, or those that NTSD_DEBIAN names a folder of."""
    folder = OUT
    if "NTSD_DEBIAN" in os.environ:
        folder = ROOT / os.environ["NTSD_DEBIAN"]
    else:
        run([ROOT / "deploy/debian/build.sh"], timeout=BUILD_SECONDS)
    return {path.name.split("_")[0]: path for path in folder.glob("*.deb")}


@pytest.fixture
def root(packages, tmp_path):
    """The package ntsd in a root of its own."""
    run(["dpkg-deb", "-x", packages["ntsd"], tmp_path])
    return tmp_path


def field(package, name):
    return run(["dpkg-deb", "-f", package, name]).stdout.strip()


def test_builds_what_it_should(packages):
    assert {"ntsd", "ntsd-tools"} <= set(packages)
    version = re.search(r"project\(ntsd VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text()).group(1)
    assert field(packages["ntsd"], "Version") == version, "deploy/debian/changelog and CMakeLists.txt name two versions"
    assert "libc6" in field(packages["ntsd"], "Depends") and "libssl3" in field(packages["ntsd"], "Depends")


def test_every_file_is_in_its_place(root):
    missing = [path for path in FILES if not (root / path).is_file()]
    # usr/lib on a Debian whose / and /usr are one, lib before that.
    missing += [unit for unit in UNITS if not any((root / place / "systemd/system" / unit).is_file() for place in ("lib", "usr/lib"))]
    assert missing == []
    assert os.access(root / "usr/share/ntsd/certbot/ntsd-deploy-hook", os.X_OK)
    assert not list(root.glob("**/*.pem")) and not (root / "var").exists()


def test_the_configuration_is_a_conffile_and_the_user_is_made(packages, tmp_path):
    run(["dpkg-deb", "-e", packages["ntsd"], tmp_path])
    assert "/etc/ntsd/ntsd.toml" in (tmp_path / "conffiles").read_text().split()
    script = (tmp_path / "postinst").read_text()
    assert "systemd-sysusers" in script and "systemd-tmpfiles" in script
    # Installing it starts nothing: there is no certificate yet. An upgrade restarts what runs.
    assert "enable ntsd.service" not in script and "deb-systemd-invoke start" not in script


def test_the_units_are_sound(root):
    """ExecStart and its like have to be where the unit says; systemd-analyze looks for them below this machine's root."""
    place = next(path.parent for path in root.glob("**/ntsd.service"))
    for unit in UNITS:
        for program in re.findall(r"^Exec\w+=(\S+)", (place / unit).read_text(), re.MULTILINE):
            assert (root / program[1:]).is_file(), program


def test_its_own_configuration_needs_a_certificate_and_is_good_with_one(root, certificate):
    (root / "var/lib/ntsd").mkdir(parents=True)
    command = [root / "usr/sbin/ntsd", "--check", "--config", root / "etc/ntsd/ntsd.toml", "--set", "process.user=",
               "--set", f"keys.file={root}/var/lib/ntsd/keys"]
    done = run(command, check=False)
    assert done.returncode == 2 and "/etc/ntsd/fullchain.pem" in done.stderr
    chain, key = certificate
    done = run([*command, "--set", f'ke[0].certificates=[{{ chain = "{chain}", key = "{key}" }}]'])
    assert "[[ke]]" in done.stdout and done.stderr == ""


def test_its_programs_run(packages, root, tmp_path):
    run(["dpkg-deb", "-x", packages["ntsd-tools"], root])
    for program in ("sbin/ntsd", "bin/ntsctl", "bin/ntsload", "bin/ntsconform"):
        done = run([root / "usr" / program, "--help"])
        assert done.stdout != ""


@pytest.mark.skipif(not shutil.which("lintian"), reason="lintian is not installed; deploy/packages.sh debian brings it")
def test_lintian_finds_nothing(packages):
    done = subprocess.run(["lintian", "--allow-root", "--fail-on=error,warning", *packages.values()], capture_output=True, text=True,
                          timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_the_package_is_built_with_is_what_packages_sh_brings():
    listed = run([ROOT / "deploy/packages.sh", "--list", "build"]).stdout.split()
    control = (ROOT / "deploy/debian/control").read_text()
    depends = control[control.index("Build-Depends:"):control.index("Standards-Version")].split("\n")[1:]
    depends = {line.strip(" ,").split(" ")[0] for line in depends if line.strip()}
    of_debian = {"debhelper-compat", "dh-sequence-installsysusers"}
    of_every_system = {"build-essential", "openssl"}
    assert depends - of_debian == set(listed) - of_every_system
