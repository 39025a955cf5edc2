#!/usr/bin/env bash
# The one list of Debian and Ubuntu packages that this project needs, and the way to install what is missing.
#
#   deploy/packages.sh build           what building and running needs
#   deploy/packages.sh build tests     that, and what the tests need
#   deploy/packages.sh browser         a browser, with which `tests/run.sh --full` looks at the page for people
#   deploy/packages.sh debian          what deploy/debian/build.sh makes packages with
#   deploy/packages.sh --list GROUP…   print the names, install nothing
#   deploy/packages.sh --refresh       only refresh the package index
#
# It installs by apt from the sources that the machine already has, as root or through sudo, and asks nothing.
# Debian 12 and 13 and Ubuntu 24.04 have all of it.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
log=$root/build/logs/packages.log

build_packages=(
  build-essential cmake ninja-build pkg-config                    # g++ 12 or later, CMake 3.25 or later
  libssl-dev libsodium-dev liburing-dev libjemalloc-dev zlib1g-dev
  libseccomp-dev libsystemd-dev
  libtomlplusplus-dev libcli11-dev libfmt-dev libspdlog-dev nlohmann-json3-dev libexpected-dev
  prometheus-cpp-dev libcpp-httplib-dev
  openssl                                                         # the command that makes the throw-away certificate
)
test_packages=(
  libgtest-dev libgmock-dev libbenchmark-dev nettle-dev
  python3 python3-pytest python3-pytest-xdist iproute2 util-linux valgrind
  debian-archive-keyring                                          # for peers of other releases
  netbase                                                         # /etc/services, in which ntpq looks up its port
)
browser_packages=(chromium)
debian_packages=(debhelper dpkg-dev fakeroot lintian)
# The clang that the project is written against comes first; each release of the systems has at least one of these.
llvm_versions=(14 19 18 17)

say() { printf '%s\n' "$*" >&2; }

IsInstalled() { [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }
IsOffered() { [[ -n $(apt-cache madison "$1" 2>/dev/null) ]]; }

# The version of clang to use: one that is here already, else the first that apt can bring.
LlvmVersion() {
  local version
  for version in "${llvm_versions[@]}"; do
    if IsInstalled "clang-$version"; then echo "$version"; return; fi
  done
  for version in "${llvm_versions[@]}"; do
    if IsOffered "clang-$version"; then echo "$version"; return; fi
  done
  echo "${llvm_versions[0]}"
}

PackagesOf() {
  case $1 in
    build) printf '%s\n' "${build_packages[@]}" ;;
    browser) printf '%s\n' "${browser_packages[@]}" ;;
    debian) printf '%s\n' "${debian_packages[@]}" ;;
    tests)
      local llvm
      llvm=$(LlvmVersion)
      printf '%s\n' "${test_packages[@]}" "clang-$llvm" "libclang-rt-$llvm-dev" "clang-format-$llvm" "clang-tidy-$llvm"
      ;;
  esac
}

MissingOf() {
  local group name
  for group in "$@"; do
    for name in $(PackagesOf "$group"); do
      IsInstalled "$name" || echo "$name"
    done
  done
}

# Runs a command with the rights that apt needs.
AsRoot() {
  if [[ $(id -u) == 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    if [[ -t 0 ]]; then sudo "$@"; else sudo -n "$@"; fi
  else
    say "packages.sh: this needs root: run it as root, or install sudo"
    return 1
  fi
}

Apt() {
  AsRoot env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
    apt-get -q -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@" >>"$log" 2>&1 </dev/null
}

Fail() {
  say "packages.sh: $1; the last lines of build/logs/packages.log:"
  tail -n 12 "$log" | sed 's/^/  /' >&2
  exit 1
}

RequireApt() {
  command -v apt-get >/dev/null && command -v dpkg-query >/dev/null && return
  say "packages.sh: this machine has no apt. Install what stands for these packages, then run cmake by hand:"
  printf '  %s\n' "${build_packages[*]}" >&2
  exit 1
}

Refresh() { Apt update || Fail "apt-get update failed"; }

Install() {
  local missing
  mapfile -t missing < <(MissingOf "$@")
  if [[ ${#missing[@]} == 0 ]]; then
    say "packages: everything for $* is installed"
    return
  fi
  # Without an index apt cannot say which clang it offers, so the names are asked for again after the refresh.
  Refresh
  mapfile -t missing < <(MissingOf "$@")
  say "packages: installing ${#missing[@]} with apt: ${missing[*]}"
  Apt install --no-install-recommends "${missing[@]}" || Fail "apt-get install failed"
}

if [[ $# == 0 ]]; then
  sed -n '2,/^set/p' "${BASH_SOURCE[0]}" | sed -n 's/^# \{0,1\}//p'
  exit 2
fi
if [[ $1 == --list ]]; then
  shift
  for group in "$@"; do PackagesOf "$group"; done
  exit 0
fi
for argument in "$@"; do
  case $argument in
    build | tests | browser | debian | --refresh) ;;
    *) say "packages.sh: there is no group '$argument'; the groups are build, tests, browser and debian"; exit 2 ;;
  esac
done
RequireApt
mkdir -p "${log%/*}"
: >"$log"
if [[ $1 == --refresh ]]; then Refresh; else Install "$@"; fi
