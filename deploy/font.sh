#!/usr/bin/env bash
# Cuts the font of the charts out of DejaVu Sans: Latin, Greek, Cyrillic, and the signs that Synod uses.
# What is left out is drawn as a box. It needs Debian's fonts-dejavu-core and Python's fonttools.
#
#     deploy/font.sh src/chart/font.ttf
set -euo pipefail
pyftsubset /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf \
    --unicodes=U+0020-007E,U+00A0-017F,U+0370-03FF,U+0400-045F,U+2013,U+2014,U+2018-201E,U+2026 \
    --layout-features= --no-hinting --desubroutinize --name-IDs=0,1,2,13,14 --notdef-outline \
    --output-file="$1"
