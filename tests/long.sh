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
#   tests/long.sh --versions              no kills and faults: every verb on each Synapse that docs/versions.md
#                                         names; with UPDATE_DOCS=1 its table is written anew
#   tests/long.sh --workers               no kills and faults: every verb on a homeserver of several processes,
#                                         by their own addresses and behind nginx, and what its faults do
#
# At its end it says what ran, and what did not.
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
    if [ "$1" = --workers ]; then
        export SYNOD_WORKERS=1
        shift
        continue
    fi
    if [ "$1" = --versions ]; then
        # The first row of the table names them.
        SYNOD_VERSIONS=$(sed -n 's/^| Verb | \(.*\) |$/\1/p' docs/versions.md | sed 's/ | /,/g')
        export SYNOD_VERSIONS
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

# ran WHAT COMMAND...: runs it, and says at the end that it ran or failed, and what did not run.
ran() {
    local what=$1 status=0 one others=
    shift
    "$@" || status=$?
    for one in "kills and faults" "a raid" "messages by chance" "an idle desk" "versions of Synapse" "workers"; do
        case "$what" in "$one"*) ;; *) others="$others, $one" ;; esac
    done
    if [ "$status" -eq 0 ]; then echo "ran: $what"; else echo "FAILED: $what"; fi
    echo "did not run: ${others#, }"
    exit "$status"
}

if [ -n "${SYNOD_MESSAGES:-}" ]; then
    ran "messages by chance ($SYNOD_MESSAGES)" \
        cargo test --lib -- understand::tests::generated --nocapture
fi
need_tools
if [ -n "${SYNOD_IDLE:-}" ]; then
    ran "an idle desk" cargo test --test it -- a_desk_to_which_nothing_comes --nocapture
fi
if [ -n "${SYNOD_WORKERS:-}" ]; then
    need_postgres
    need_workers
    ran "workers" cargo test --test it -- workers:: --nocapture --test-threads=1
fi
if [ -n "${SYNOD_VERSIONS:-}" ]; then
    ran "versions of Synapse (${SYNOD_VERSIONS//,/, })" cargo test --test it -- versions:: --nocapture
fi
if [ -n "${RAID_ACCOUNTS:-}" ]; then
    ran "a raid ($RAID_ACCOUNTS accounts)" cargo test --test it -- wave::a_raid --nocapture
fi
# One after the other: beside each other each would be a storm for the other.
ran "kills and faults ($SERIES_KILLS kills, $SERIES_SECONDS seconds)" \
    cargo test --test it -- series:: --nocapture --test-threads=1
