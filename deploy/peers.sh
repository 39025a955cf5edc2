#!/usr/bin/env bash
# Brings programs that ntsd works with here without installing them, and prints the folder in which they stand.
#
#   deploy/peers.sh chrony       build/peers/chrony with usr/sbin/chronyd, usr/bin/chronyc, of this machine's release
#   deploy/peers.sh ntpsec       build/peers/ntpsec with usr/sbin/ntpd, usr/bin/ntpq
#   deploy/peers.sh libfaketime  build/peers/libfaketime with the library that shows a program another time
#   deploy/peers.sh prometheus   build/peers/prometheus with usr/bin/prometheus and usr/bin/promtool
#   deploy/peers.sh certbot      build/peers/certbot with usr/bin/certbot and its Python packages
#   deploy/peers.sh pebble       build/peers/pebble with usr/bin/pebble, an ACME server for tests
#   deploy/peers.sh trixie       build/peers/trixie with chrony, ntpsec and ntpd-rs of Debian 13 and everything that they stand
#                                on, the C library included
#   deploy/peers.sh bookworm     the same of Debian 12, which has no ntpd-rs
#
# Such a package, installed, would stop the machine's own time service and steer the clock. So it is only downloaded and
# unpacked. A package of this machine's release comes with those of its libraries that the machine lacks: start its programs
# with LD_LIBRARY_PATH set to the line in the file .libraries of that folder. A release comes with all libraries: start its
# programs by its own loader, FOLDER/.loader --library-path LINE PROGRAM; so they see this machine's files and need no chroot.
# It needs apt, and for a release the keys in the package debian-archive-keyring, but not root.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
name=${1:-}
folder=$root/build/peers/$name
log=$root/build/logs/peers-$name.log

Fail() {
  echo "peers.sh: $1${2:+; the last lines of build/logs/peers-$name.log:}" >&2
  if [[ -n ${2:-} ]]; then tail -n 8 "$log" | sed 's/^/  /' >&2; fi
  exit 1
}

# Downloads packages into the folder `unpacking`. apt's own user may not write below somebody's home directory; the archive's
# signature is checked all the same.
Download() { (cd "$unpacking" && apt-get -q -o APT::Sandbox::User="$(id -un)" download "$@") >>"$log" 2>&1; }

# The names of a package and of what would have to be installed with it.
PackagesWith() { apt-get install --simulate --no-install-recommends "$1" 2>>"$log" | awk '$1 == "Inst" { print $2 }'; }

# What the machine has is not in apt's answer. Of the rest only libraries matter to a program that is never installed.
DownloadOne() {
  local packages
  mapfile -t packages < <(echo "$name"; PackagesWith "$name" | grep -vx "$name" | grep -E '^(lib|python3-)')
  Download "${packages[@]}"
}

BringPackage() {
  if DownloadOne; then return; fi
  "$root/deploy/packages.sh" --refresh
  DownloadOne || Fail "apt cannot download $name" log
}

# The mirror that this machine's apt uses, if it is one of Debian.
Mirror() {
  local mirror
  # None found is an answer, too.
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | grep -m1 -E '/debian/?$' || true)
  echo "${mirror:-http://deb.debian.org/debian}"
}

# An apt of its own, which believes that nothing is installed, so that it names every library down to the C library. What the
# machine's apt knows about proxies holds for it as well.
BringRelease() {
  local keys=/usr/share/keyrings/debian-archive-keyring.gpg own mirror package packages
  [[ -e $keys ]] || Fail "Debian's keys are missing: install debian-archive-keyring"
  own=$unpacking/.apt
  mirror=$(Mirror)
  mkdir -p "$own"/state/lists/partial "$own"/cache/archives/partial
  : >"$own/status"
  echo "deb [signed-by=$keys] $mirror $name main" >"$own/sources.list"
  cat >"$own/apt.conf" <<SETTINGS
Dir::Etc::sourcelist "$own/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "$own/state";
Dir::State::status "$own/status";
Dir::Cache "$own/cache";
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Cache::srcpkgcache "srcpkgcache.bin";
APT::Sandbox::User "$(id -un)";
Acquire::Languages "none";
Acquire::Retries "1";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
SETTINGS
  export APT_CONFIG=$own/apt.conf
  apt-get -q update --error-on=any >>"$log" 2>&1 || Fail "apt cannot reach $name at $mirror" log
  mapfile -t packages < <(
    for package in chrony ntpsec ntpd-rs; do PackagesWith "$package"; done |
      grep -E '^(lib|zlib|python3|chrony$|ntpsec$|ntpd-rs$)' | sort -u
  )
  Download "${packages[@]}" || Fail "apt cannot download the programs of $name" log
  rm -rf "$own"
}

case $name in
  chrony | ntpsec | libfaketime | prometheus | certbot | pebble) Bring=BringPackage ;;
  bookworm | trixie) Bring=BringRelease ;;
  *) echo "usage: deploy/peers.sh chrony|ntpsec|libfaketime|prometheus|certbot|pebble|bookworm|trixie" >&2; exit 2 ;;
esac

if [[ ! -e $folder/.libraries ]]; then
  mkdir -p "$root/build/peers" "${log%/*}"
  : >"$log"
  unpacking=$(mktemp -d "$root/build/peers/.unpacking.XXXXXX")
  trap 'rm -rf "$unpacking"' EXIT
  $Bring
  for package in "$unpacking"/*.deb; do
    dpkg-deb -x "$package" "$unpacking"
    rm "$package"
  done
  chmod 755 "$unpacking"
  loader=$(cd "$unpacking" && find . -name 'ld-linux*.so.*' | sort | head -n 1)
  if [[ -n $loader ]]; then ln -s "$loader" "$unpacking/.loader"; fi
  find "$unpacking" -name 'lib*.so*' -printf "$folder/%P\n" | sed 's,/[^/]*$,,' | sort -u | paste -sd: >"$unpacking/.libraries"
  rm -rf "$folder"
  mv "$unpacking" "$folder"
fi
echo "$folder"
