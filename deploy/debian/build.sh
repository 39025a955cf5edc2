#!/usr/bin/env bash
# Makes Debian packages of this tree with Debian's own tools: build/debian/ntsd_VERSION_ARCH.deb and ntsd-tools_….deb.
#
#   deploy/debian/build.sh
#
# As an ordinary user or as root. What is missing is installed as deploy/packages.sh does it. DEB_BUILD_OPTIONS and
# NTSD_CMAKE_OPTIONS of the environment are heard.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
out=$root/build/debian
log=$root/build/logs/debian.log
version=$(sed -n '1s/.*(\(.*\)).*/\1/p' "$root/deploy/debian/changelog")
tree=$out/ntsd-$version

"$root/deploy/packages.sh" build debian

rm -rf "$out"
mkdir -p "$tree" "${log%/*}"
cd "$root"
# What is under version control; a tree that was unpacked from an archive has nothing else.
{ git ls-files -z 2>/dev/null || find . -path ./build -prune -o -type f -printf '%P\0'; } |
  tar --create --null --files-from=- --ignore-failed-read --file=- 2>/dev/null | tar --extract --directory="$tree"
# Debian wants its folder at the top, with the units and their like called after their package.
mv "$tree/deploy/debian" "$tree/debian"
cp "$tree/deploy/systemd/ntsd.service" "$tree/deploy/systemd/ntsd.socket" "$tree/debian/"
cp "$tree/deploy/systemd/ntsd.sysusers" "$tree/debian/ntsd.sysusers"
cp "$tree/deploy/systemd/ntsd.tmpfiles" "$tree/debian/ntsd.tmpfiles"

if command -v ccache >/dev/null; then
  # Paths below the tree count as relative, so that a package of the next version finds what this one compiled.
  export NTSD_CMAKE_OPTIONS="-DCMAKE_CXX_COMPILER_LAUNCHER=ccache ${NTSD_CMAKE_OPTIONS:-}" CCACHE_BASEDIR=$tree
fi
echo "building packages of ntsd $version; the log is build/logs/debian.log" >&2
cd "$tree"
if ! dpkg-buildpackage --build=binary --no-sign >"$log" 2>&1; then
  tail -n 20 "$log" | sed 's/^/    /' >&2
  echo "build.sh: the build failed; all of it is in build/logs/debian.log" >&2
  exit 1
fi
cd "$out"
for package in ./*.deb; do
  case $package in *-dbgsym_*) continue ;; esac
  echo "build/debian/${package#./}"
done
