#!/usr/bin/env bash
# Builds PJSIP 2.17 with its Python binding and installs it in .venv as the package sansheng_pjsip.
# The wheel holds 4 calls a process, this build 1024. Resumable: each finished step leaves a stamp.
#
#   tools/pjsip/build.sh [SOURCE]     SOURCE: pjproject 2.17 as a tar archive; without it Debian's copy
#   PJSIP_SHA256=…                    its hash, where SOURCE is not one of the two known below
#   PYTHON=…                          the interpreter to install for (default .venv/bin/python)
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
here=$root/tools/pjsip
python=${PYTHON:-$root/.venv/bin/python}
version=2.17
# Debian's source package asterisk carries it as orig-Xpjproject (without third_party).
debian_sha256=6860c2f7604b4eee75f38151a9ef69774eb3f0c5286fc1d14bc1db2dc5a9e8aa
packages="g++ make patch swig xz-utils libssl-dev libsrtp2-dev libspeex-dev libspeexdsp-dev libgsm1-dev
    libsamplerate0-dev libopus-dev"

say() { echo "pjsip: $*" >&2; }
die() { say "$*"; exit 1; }

[ -x "$python" ] || die "no $python here: run make setup first"
abi=$("$python" -c 'import sysconfig; print(sysconfig.get_config_var("SOABI"))')
recipe=$(cat "$here"/* | sha256sum | cut -c1-12)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/sansheng/pjsip-$version-$recipe
site=$("$python" -c 'import sysconfig; print(sysconfig.get_path("platlib"))')
target=$site/sansheng_pjsip
mkdir -p "$cache"
exec 8>"$cache/.lock"
flock 8

install_packages() {
    missing=""
    for package in $packages; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
            missing="$missing $package"
    done
    [ -z "$missing" ] && return
    [ "$(id -u)" = 0 ] || die "missing Debian packages, have root install:$missing"
    say "installing$missing"
    apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

# Debian's copy, by apt with lists of its own: the machine's sources stay as they are.
fetch_debian() {
    local apt=$cache/apt uri
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
        "${DEBIAN_MIRROR:-http://deb.debian.org/debian} sid main" >"$apt/sources.list"
    cat >"$apt/apt.conf" <<CONF
Dir::Etc::SourceList "$apt/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State::Lists "$apt/lists";
Dir::Cache "$apt/cache";
APT::Sandbox::User "$(id -un)";
CONF
    export APT_CONFIG=$apt/apt.conf
    say "looking up Debian's copy of pjproject $version"
    apt-get update -qq
    uri=$(apt-get source --print-uris asterisk | grep -o "'[^']*Xpjproject[^']*'" | tr -d "'") ||
        die "Debian offers no pjproject here: give the official 2.17 archive as SOURCE"
    /usr/lib/apt/apt-helper download-file "$uri" "$cache/source.part" "SHA256:$debian_sha256" >&2 ||
        die "Debian's copy is another version now: give the official 2.17 archive as SOURCE"
    unset APT_CONFIG
    mv "$cache/source.part" "$cache/source.tar"
}

fetch() {
    [ -e "$cache/source.tar" ] && return
    if [ -n "${1:-}" ]; then
        cp "$1" "$cache/source.part"
        echo "${PJSIP_SHA256:-$debian_sha256}  $cache/source.part" | sha256sum --check --quiet ||
            die "the archive is not the one expected: give its hash in PJSIP_SHA256 if you trust it"
        mv "$cache/source.part" "$cache/source.tar"
    else
        fetch_debian
    fi
}

unpack() {
    [ -e "$cache/unpacked" ] && return
    rm -rf "$cache/tree" && mkdir "$cache/tree"
    tar -C "$cache/tree" --strip-components=1 -xf "$cache/source.tar"
    grep -q "PJ_VERSION_MINOR *:= *${version#*.}$" "$cache/tree/version.mak" ||
        die "the archive is not pjproject $version"
    cp "$here/config_site.h" "$cache/tree/pjlib/include/pj/config_site.h"
    # The library answers 400 to a SIPREC offer without labels or metadata; real clients send such.
    patch -s -d "$cache/tree" -p1 <"$here/tolerant-siprec.patch"
    # A sound driver whose source Debian's copy leaves out; we have no sound card to drive.
    sed -i 's/ bdimad_dev\.o//' "$cache/tree/pjmedia/build/Makefile"
    touch "$cache/unpacked"
}

compile() {
    [ -e "$cache/compiled" ] && return
    cd "$cache/tree"
    if [ ! -e "$cache/configured" ]; then
        say "configuring"
        # NDEBUG: hostile SDP then fails a check, and does not end the process in an assertion.
        CFLAGS="-O2 -fPIC -DNDEBUG" CXXFLAGS="-O2 -fPIC -DNDEBUG" ./aconfigure --disable-video \
            --disable-sound --disable-libyuv --disable-libwebrtc --disable-ilbc-codec \
            --disable-g7221-codec --disable-resample --enable-libsamplerate --with-external-srtp \
            --with-external-speex --with-external-gsm --enable-epoll >"$cache/configure.log" 2>&1 ||
            die "configure failed, see $cache/configure.log"
        make dep >"$cache/dep.log" 2>&1 || die "make dep failed, see $cache/dep.log"
        touch "$cache/configured"
    fi
    say "compiling the library (a minute or two)"
    for part in pjlib pjlib-util pjnath third_party pjmedia pjsip; do
        make -j"$(nproc)" -C "$part/build" >>"$cache/make.log" 2>&1 ||
            die "make failed in $part, see $cache/make.log"
    done
    touch "$cache/compiled"
}

bind() {
    [ -e "$cache/$abi/bound" ] && return
    say "compiling the Python binding (two or three minutes)"
    mkdir -p "$cache/$abi"
    cd "$cache/tree/pjsip-apps/src/swig/python"
    local tree=../../../..
    swig -w312 -threads -c++ -python -I$tree/pjlib/include -I$tree/pjlib-util/include \
        -I$tree/pjmedia/include -I$tree/pjsip/include -I$tree/pjnath/include \
        -outdir "$cache/$abi" -o pjsua2_wrap.cpp ../pjsua2.i
    local include cflags ldflags libs
    include=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
    [ -e "$include/Python.h" ] || die "no Python.h in $include: install python3-dev"
    cflags=$(make --no-print-directory -f helper.mak cflags)
    ldflags=$(make --no-print-directory -f helper.mak ldflags)
    libs=$(make --no-print-directory -f helper.mak libs | sed 's/^/-l/')
    # shellcheck disable=SC2086
    g++ -shared -fPIC $cflags -O1 -w -I"$include" pjsua2_wrap.cpp $ldflags $libs \
        -o "$cache/$abi/_pjsua2.so" >"$cache/bind.log" 2>&1 ||
        die "the binding failed, see $cache/bind.log"
    strip --strip-unneeded "$cache/$abi/_pjsua2.so"
    touch "$cache/$abi/bound"
}

place() {
    local value
    value() { awk -v name="$1" '$2 == name {gsub(/[()]/, "", $3); print $3}' "$here/config_site.h"; }
    rm -rf "$target.part" && mkdir -p "$target.part"
    cp "$cache/$abi/pjsua2.py" "$cache/$abi/_pjsua2.so" "$target.part/"
    echo '"""PJSIP as Sansheng builds it (make pjsip); GPL-2.0-or-later."""' >"$target.part/__init__.py"
    cat >"$target.part/build.json" <<JSON
{"version": "$version", "max_calls": $(value PJSUA_MAX_CALLS),
 "max_message_bytes": $(value PJSIP_MAX_PKT_LEN), "siprec": true,
 "openssl": "$(openssl version | cut -d' ' -f1,2)", "recipe": "$recipe"}
JSON
    rm -rf "$target" && mv "$target.part" "$target"
    SANSHENG_PJSIP=own "$python" -c '
from telephony.pjsip import BUILD, pj
print(f"pjsip: {BUILD.version} installed, {BUILD.max_calls} calls a process")' >&2 ||
        { rm -rf "$target"; die "the new build does not load"; }
}

if grep -q "\"recipe\": \"$recipe\"" "$target/build.json" 2>/dev/null; then
    say "$version is installed already"
    exit 0
fi
install_packages
fetch "${1:-}"
unpack
compile
bind
place
