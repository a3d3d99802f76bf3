#!/usr/bin/env bash
# What promtool says of the metrics, of the alert rules and of their tests, in seconds. Takes the promtool
# that is there, or unpacks the one of Debian's package into the build folder.
set -euo pipefail
cd "$(dirname "$0")/../.."

promtool=$(command -v promtool || true)
if [ -z "$promtool" ]; then
    folder="${CARGO_TARGET_DIR:-target}/tools/prometheus"
    mkdir -p "$folder"
    folder=$(cd "$folder" && pwd)
    promtool="$folder/usr/bin/promtool"
    if [ ! -x "$promtool" ]; then
        echo "unpacking promtool" >&2
        (
            cd "$folder"
            # As an ordinary user too: nothing is installed.
            apt-get download -qq prometheus >/dev/null
            dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool
            rm -f prometheus_*.deb
        )
    fi
fi

"$promtool" check metrics <deploy/prometheus/example.prom
cd deploy/prometheus
"$promtool" check rules synod.rules.yml
"$promtool" test rules synod.rules.test.yml
python3 -m json.tool ../grafana/synod.json >/dev/null
