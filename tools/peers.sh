#!/usr/bin/env bash
# Installs the real test peers: SIPp, tshark, Kamailio, Chromium with its driver and a Chinese font, and
# Asterisk. Does nothing when they are there already. Needs Debian (or a child of it) and root;
# without either it says what is missing, and the tests that need it say so too. What cannot be had
# is an error in CI, and told elsewhere.
#
#   SANSHENG_PEERS=…   where Asterisk goes (default ~/.cache/sansheng)
#   DEBIAN_MIRROR=…    where it comes from (default: apt's own mirrors, then Debian's)
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin DEBIAN_FRONTEND=noninteractive

packages="sip-tester tshark kamailio chromium chromium-driver fonts-noto-cjk debootstrap"
peers=${SANSHENG_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/sansheng}
asterisk=$peers/asterisk-bullseye

say() { echo "peers: $*" >&2; }
give_up() {
    say "$*"
    [ -z "${CI:-}" ] || exit 1
    exit 0
}
ready() { [ -e "$asterisk/.ready" ]; }
installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

missing=""
for package in $packages; do
    installed "$package" || missing="$missing $package"
done
[ -z "$missing" ] && ready && exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    say "not installed (this needs Debian and root):$missing$(ready || echo ' asterisk')"
    exit 0
fi
if [ -n "$missing" ]; then
    say "installing$missing"
    # shellcheck disable=SC2086
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing; } >/dev/null ||
        give_up "apt-get cannot install$missing: check apt's sources"
    # The tests start their own; the package's would sit on port 5060.
    case $missing in *kamailio*) systemctl disable --now kamailio >/dev/null 2>&1 || true ;; esac
fi
ready && exit 0

# Debian 12 has no Asterisk; bullseye has 16. Its packages are unpacked into a folder of their own
# and never configured: that asks for no chroot, so that it works in a container as well.
mirrors() {
    if [ -n "${DEBIAN_MIRROR:-}" ]; then
        echo "$DEBIAN_MIRROR"
        return
    fi
    apt-get indextargets --format '$(SITE)' 'Origin: Debian' 'Identifier: Packages' |
        grep -E '^(https?|file):' | grep -v security || true
    echo http://deb.debian.org/debian
    echo http://archive.debian.org/debian
}
eval "$(apt-config shell proxy Acquire::http::Proxy)"
if [ -n "${proxy:-}" ] && [ -z "${http_proxy:-}" ]; then export http_proxy=$proxy; fi

mkdir -p "$peers"
work=$(mktemp -d "$peers/asterisk.XXXXXX")
trap 'rm -rf "$work"' EXIT
log=$peers/debootstrap.log
fetched=""
for mirror in $(mirrors | awk '!seen[$0]++'); do
    say "Asterisk 16 from $mirror → $asterisk (a minute)"
    rm -rf "$work/debs"
    if debootstrap --download-only --variant=minbase --include=asterisk bullseye \
        "$work/debs" "$mirror" >"$log" 2>&1; then
        fetched=yes
        break
    fi
    say "not from $mirror: $(grep -m 1 '^E:' "$log" || tail -n 1 "$log")"
done
[ -n "$fetched" ] ||
    give_up "no Asterisk: set DEBIAN_MIRROR to a mirror that has bullseye (the log is $log)"
for package in "$work"/debs/var/cache/apt/archives/*.deb; do
    dpkg-deb -x "$package" "$work/root"
done
rm -rf "$asterisk"
mv "$work/root" "$asterisk"
chmod 755 "$asterisk"
touch "$asterisk/.ready"
