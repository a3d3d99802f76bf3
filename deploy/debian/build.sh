#!/usr/bin/env bash
# Builds the Debian package, and says where it lies.
#
#   deploy/debian/build.sh                       with the release profile
#   deploy/debian/build.sh --profile dev         with the binary that the tests use
#   deploy/debian/build.sh --version 0.1.0-2     as this version of the package; before other options
#   deploy/debian/build.sh --no-build            of the binary that is there
set -euo pipefail
cd "$(dirname "$0")/../.."
. deploy/needs.sh

profile=release version= build=1
if [ "${1:-}" = --version ]; then
    version=${2:?"--version needs a value"}
    shift 2
fi
read_build_options "$@"
: "${version:=$(crate_version)-1}"

need_tools
need_debian dpkg-shlibdeps dpkg-dev
need_crate cargo-deb 3.8.0

build_binary
deploy/pages.sh "$binary"
debian_changelog "$version" >target/package/changelog
name=target/package/synod_${version}_$(dpkg --print-architecture).deb
rm -f "$name"
# A trial is packed fast, what is shipped small.
fast=
[ "$profile" != dev ] || fast=--fast
cargo deb --no-build --profile "$profile" --deb-version "$version" --output "$name" --quiet $fast \
    >/dev/null
echo "$name"
