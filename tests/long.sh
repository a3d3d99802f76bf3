#!/usr/bin/env bash
# Runs the series of crashes and faults as long as wanted, in place of the short pieces of tests/run.sh.
#
#   tests/long.sh                         64 kills, then five minutes of faults
#   tests/long.sh --kills 500             so many kills
#   tests/long.sh --seconds 3600          so long a storm of faults
#   tests/long.sh --seed 17               chance as in an earlier run, which printed its seed
#   tests/long.sh --raid 3000             no kills and faults: a raid of so many accounts among 1,000 people,
#                                         found, acted on and taken back
#   tests/long.sh --messages 1000000      no kills and faults: so many messages made by chance, each
#                                         understood as it was typed or asked about
#   tests/long.sh --idle                  no kills and faults: seven minutes of a report desk to which
#                                         nothing comes
set -euo pipefail
cd "$(dirname "$0")/.."
. deploy/needs.sh

export SERIES_KILLS=64 SERIES_SECONDS=300
while [ $# -gt 0 ]; do
    if [ "$1" = --idle ]; then
        export SYNOD_IDLE=1
        shift
        continue
    fi
    if [ $# -lt 2 ]; then
        echo "$1 needs a number; see the head of $0" >&2
        exit 2
    fi
    case "$1" in
    --kills) SERIES_KILLS=$2 ;;
    --seconds) SERIES_SECONDS=$2 ;;
    --seed) export SERIES_SEED=$2 ;;
    --raid) export RAID_ACCOUNTS=$2 RAID_PEOPLE=1000 ;;
    --messages) export SYNOD_MESSAGES=$2 ;;
    *)
        echo "$1 is not known; see the head of $0" >&2
        exit 2
        ;;
    esac
    shift 2
done

unset RUST_BACKTRACE
if [ -n "${SYNOD_MESSAGES:-}" ]; then
    exec cargo test --lib -- understand::tests::generated --nocapture
fi
need_tools
if [ -n "${SYNOD_IDLE:-}" ]; then
    exec cargo test --test it -- a_desk_to_which_nothing_comes --nocapture
fi
if [ -n "${RAID_ACCOUNTS:-}" ]; then
    exec cargo test --test it -- wave::a_raid --nocapture
fi
# One after the other: beside each other each would be a storm for the other.
exec cargo test --test it -- series:: --nocapture --test-threads=1
