#!/usr/bin/env bash
# Runs Synod's main job on a real homeserver and prints it as a transcript; then everything stays
# up until Ctrl-C. `--once` ends after the transcript, with 0 only if every step was as expected.
set -euo pipefail
cd "$(dirname "$0")/.."
. deploy/needs.sh

need_tools
# With --workspace, as the tests are built: one set of features, so nothing is compiled twice.
echo "building Synod and the demo (the first time takes minutes)"
cargo build --workspace --bin synod --example demo
echo "built in $SECONDS s"
exec "${CARGO_TARGET_DIR:-target}/debug/examples/demo" "$@"
