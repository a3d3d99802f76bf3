#!/usr/bin/env bash
# Runs all tests, having installed what they need: Synapse goes into the build folder by itself.
set -euo pipefail
cd "$(dirname "$0")/.."
. deploy/needs.sh

need_tools
need_postgres
need_workers
# What opens the page of a record, and what encrypts backups.
need_debian chromium chromium
need_debian age age
# Errors in snapshots and transcripts must not depend on who runs the tests.
unset RUST_BACKTRACE
# Each test may have a bot and clients of its own beside the homeserver that all share, and that
# has one core's worth to give: more at once would wait for it beyond their patience.
threads=$(nproc)
if [ "$threads" -gt 4 ]; then threads=4; fi
set -x
exec cargo test --workspace --no-fail-fast -- --test-threads="$threads"
