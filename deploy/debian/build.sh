#!/usr/bin/env bash
# Builds the Debian package, and says where it lies.
#
#   deploy/debian/build.sh                       with the release profile
#   deploy/debian/build.sh --profile dev         with the binary that the tests use
#   deploy/debian/build.sh --version 0.1.0-2     as this version of the package
#   deploy/debian/build.sh --no-build            of the binary that is there
set -euo pipefail
cd "$(dirname "$0")/../.."
. deploy/needs.sh

profile=release version= build=1
while [ $# -gt 0 ]; do
    case "$1" in
    --profile | --version)
        if [ $# -lt 2 ]; then
            echo "$1 needs a value; see the head of $0" >&2
            exit 2
        fi
        declare "${1#--}=$2"
        shift 2
        ;;
    --no-build)
        build=
        shift
        ;;
    *)
        echo "$1 is not known; see the head of $0" >&2
        exit 2
        ;;
    esac
done
: "${version:=$(crate_version)-1}"

need_tools
need_debian dpkg-shlibdeps dpkg-dev
need_crate cargo-deb 3.8.0

folder=$profile
[ "$profile" != dev ] || folder=debug
binary=${CARGO_TARGET_DIR:-target}/$folder/synod
if [ -n "$build" ]; then
    # As the tests build it, so that nothing is compiled twice; what is shipped has no part of theirs.
    if [ "$profile" = dev ]; then cargo build --workspace --bin synod; else
        cargo build --profile "$profile" --locked --bin synod
    fi
fi
if [ ! -x "$binary" ]; then
    echo "missing: $binary; build it, or leave --no-build out" >&2
    exit 1
fi
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
