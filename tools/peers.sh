#!/usr/bin/env bash
# Installs the real test peers: SIPp, tshark, Chromium with its driver, and Asterisk. Does nothing
# when they are there already. Needs Debian (or a child of it) and root; without either it says what
# is missing, and the tests that need it say so too.
#
#   SANSHENG_PEERS=…   where Asterisk goes (default ~/.cache/sansheng)
#   DEBIAN_MIRROR=…    where it comes from (default http://deb.debian.org/debian)
set -euo pipefail

programs="sipp:sip-tester tshark:tshark chromium:chromium chromedriver:chromium-driver debootstrap:debootstrap"
peers=${SANSHENG_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/sansheng}
asterisk=$peers/asterisk-bullseye
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}

missing=""
for entry in $programs; do
    PATH=$PATH:/usr/sbin command -v "${entry%%:*}" >/dev/null 2>&1 || missing="$missing ${entry##*:}"
done
ready() { [ -e "$asterisk/.ready" ]; }
[ -z "$missing" ] && ready && exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "peers: not installed (this needs Debian and root):$missing$(ready || echo ' asterisk')" >&2
    exit 0
fi
if [ -n "$missing" ]; then
    echo "peers: installing$missing" >&2
    apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
if ! ready; then
    # Debian 12 has no Asterisk; bullseye has 16, which lives in a folder of its own.
    echo "peers: Asterisk 16 → $asterisk (a minute)" >&2
    mkdir -p "$peers"
    rm -rf "$asterisk"
    /usr/sbin/debootstrap --variant=minbase --include=asterisk bullseye "$asterisk" "$mirror" \
        >"$peers/debootstrap.log" 2>&1 || {
        echo "peers: debootstrap failed, see $peers/debootstrap.log" >&2
        exit 1
    }
    touch "$asterisk/.ready"
fi
