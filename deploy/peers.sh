#!/usr/bin/env bash
# Brings another NTP program here without installing it, and prints the folder in which it stands.
#
#   deploy/peers.sh chrony       build/peers/chrony with usr/sbin/chronyd, usr/bin/chronyc
#   deploy/peers.sh ntpsec       build/peers/ntpsec with usr/sbin/ntpd, usr/bin/ntpq
#   deploy/peers.sh libfaketime  build/peers/libfaketime with the library that shows a program another time
#
# Such a package, installed, would stop the machine's own time service and steer the clock. So it is only downloaded and
# unpacked, together with those of its libraries that the machine lacks. Start the programs with LD_LIBRARY_PATH set to
# the line that this command writes to the file .libraries in that folder. It needs apt, but not root.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
name=${1:-}
case $name in
  chrony | ntpsec | libfaketime) ;;
  *) echo "usage: deploy/peers.sh chrony|ntpsec|libfaketime" >&2; exit 2 ;;
esac
folder=$root/build/peers/$name
log=$root/build/logs/peers-$name.log

# The package and the libraries that come with it; what the machine has is not in apt's answer.
Wanted() {
  echo "$name"
  apt-get install --simulate --no-install-recommends "$name" 2>/dev/null |
    awk -v name="$name" '$1 == "Inst" && $2 != name && $2 ~ /^(lib|python3-ntp)/ { print $2 }'
}

Download() {
  local packages
  mapfile -t packages < <(Wanted)
  # apt's own user may not write below somebody's home directory; the archive's signature is checked all the same.
  (cd "$unpacking" && apt-get -q -o APT::Sandbox::User="$(id -un)" download "${packages[@]}") >>"$log" 2>&1
}

if [[ ! -e $folder/.libraries ]]; then
  mkdir -p "$root/build/peers" "${log%/*}"
  : >"$log"
  unpacking=$(mktemp -d "$root/build/peers/.unpacking.XXXXXX")
  trap 'rm -rf "$unpacking"' EXIT
  if ! Download; then
    "$root/deploy/packages.sh" --refresh
    if ! Download; then
      echo "peers.sh: apt cannot download $name; the last lines of build/logs/peers-$name.log:" >&2
      tail -n 8 "$log" | sed 's/^/  /' >&2
      exit 1
    fi
  fi
  for package in "$unpacking"/*.deb; do
    dpkg-deb -x "$package" "$unpacking"
    rm "$package"
  done
  chmod 755 "$unpacking"
  find "$unpacking" -name 'lib*.so*' -printf "$folder/%P\n" | sed 's,/[^/]*$,,' | sort -u | paste -sd: >"$unpacking/.libraries"
  rm -rf "$folder"
  mv "$unpacking" "$folder"
fi
echo "$folder"
