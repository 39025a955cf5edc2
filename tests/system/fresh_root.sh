#!/usr/bin/env bash
# Proves that the two commands of the README work on a machine that has nothing: makes a new Debian root by debootstrap, copies
# a clean clone into it, and runs deploy/quickstart.sh --once and tests/run.sh there, with the time that each took.
#
#   tests/system/fresh_root.sh FOLDER [SUITE]      SUITE: bookworm (default), trixie, noble
#
# For developers, as root, with debootstrap; not part of the default run. Packages come through the apt sources of this
# machine: its mirror, proxy settings, resolver and certificates are used inside. The network is this machine's own, so nothing
# else may hold the quickstart's ports. What is committed is what is tested. FOLDER/root stays, to be looked at, until the next
# run makes it anew; logs are FOLDER/quickstart.log and FOLDER/tests.log. Arguments for tests/run.sh go into RUN_ARGUMENTS.
set -euo pipefail

source_tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
folder=${1:?usage: tests/system/fresh_root.sh FOLDER [SUITE]}
suite=${2:-bookworm}
run_arguments=${RUN_ARGUMENTS:-}

[[ $(id -u) == 0 ]] || { echo "fresh_root.sh: only root can make a root" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "fresh_root.sh: install debootstrap" >&2; exit 1; }
# In mount and process namespaces of their own, so that nothing stays mounted or running however this ends.
if [[ -z ${NTSD_FRESH_ROOT:-} ]]; then
  NTSD_FRESH_ROOT=inside exec unshare --mount --pid --fork --kill-child "${BASH_SOURCE[0]}" "$@"
fi
trap 'exit 130' INT TERM # the first process of its namespace gets only the signals that it asks for

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
new=$folder/root

# The mirror of this system's own distribution as apt has it; another distribution's name follows the same pattern.
Mirror() {
  local mirror
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | grep -m1 -E '/(debian|ubuntu)/?$')
  case $suite in
    noble) echo "${NTSD_UBUNTU_MIRROR:?name the Ubuntu mirror in NTSD_UBUNTU_MIRROR}" ;;
    *) echo "${mirror%/}" ;;
  esac
}

Mount() {
  mount -t proc proc "$new/proc"
  mount -t sysfs -o ro sysfs "$new/sys"
  mount -t tmpfs -o mode=755 tmpfs "$new/dev"
  mkdir -p "$new/dev/pts" "$new/dev/shm"
  mount -t devpts -o newinstance,ptmxmode=0666 devpts "$new/dev/pts"
  ln -s pts/ptmx "$new/dev/ptmx"
  mount -t tmpfs tmpfs "$new/dev/shm"
  local name
  for name in null zero full random urandom tty; do
    touch "$new/dev/$name"
    cp -a --remove-destination "/dev/$name" "$new/dev/$name"
  done
  ln -s /proc/self/fd "$new/dev/fd"
}

# How this machine reaches packages, told to the new root.
CopyNetworkSettings() {
  cp -L /etc/resolv.conf /etc/hosts "$new/etc/"
  local file
  for file in /etc/apt/apt.conf /etc/apt/apt.conf.d/*; do
    if [[ -e $file ]] && grep -qE 'Acquire::|Proxy' "$file" && ! grep -qE 'Post-Invoke|IndexTargets' "$file"; then
      cp "$file" "$new/etc/apt/apt.conf.d/"
    fi
  done
  if [[ -e /etc/ssl/certs/ca-certificates.crt ]]; then
    mkdir -p "$new/etc/ssl/certs"
    cp /etc/ssl/certs/ca-certificates.crt "$new/etc/ssl/certs/"
  fi
  if [[ $suite == noble ]]; then
    echo "deb $mirror noble main universe" >"$new/etc/apt/sources.list"
  fi
}

# Runs a command in the new root with nothing of our environment but the proxy.
Inside() {
  local kept=() name
  for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
    if [[ -n ${!name:-} ]]; then kept+=("$name=${!name}"); fi
  done
  chroot "$new" /usr/bin/env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb \
    "${kept[@]}" /bin/bash -c "cd /root/ntsd && $1"
}

# Timed NAME COMMAND: runs it inside, keeps its output in NAME.log, and says how long it took and how it ended.
Timed() {
  local name=$1 status=0 begun=$SECONDS
  shift
  Inside "$*" </dev/null > >(tee "$folder/$name.log") 2>&1 || status=$?
  summary+=("$(printf '%-40s %3d min %2d s   exit status %d' "$*" $(((SECONDS - begun) / 60)) $(((SECONDS - begun) % 60)) $status)")
  if [[ $status != 0 ]]; then failed=true; fi
}

rm -rf --one-file-system "$new"
mirror=$(Mirror)
echo "A new root of $suite below $folder"
debootstrap --variant=minbase "$suite" "$new" "$mirror" >"$folder/debootstrap.log" 2>&1 || {
  tail -n 5 "$folder/debootstrap.log" >&2
  exit 1
}
Mount
CopyNetworkSettings
git clone --quiet --no-hardlinks "$source_tree" "$folder/clone.$$"
mv "$folder/clone.$$" "$new/root/ntsd"
echo "Commit $(git -C "$source_tree" log -1 --format='%h %s'), $(nproc) CPUs"

summary=() failed=false
Timed quickstart ./deploy/quickstart.sh --once
Timed tests ./tests/run.sh $run_arguments
echo
printf '%s\n' "$suite:" "${summary[@]}"
if $failed; then exit 1; fi
