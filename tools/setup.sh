#!/usr/bin/env bash
# Makes .venv with everything that requirements.lock names, then Sansheng itself.
# Does nothing when that is done already. Needs Python 3.11 or 3.12 with its venv module.
set -euo pipefail
cd "$(dirname "$0")/.."

stamp=$(cat requirements.lock pyproject.toml | sha256sum | cut -c1-16)
[ "$(cat .venv/.ready 2>/dev/null)" = "$stamp" ] && exit 0

usable() {
    command -v "$1" >/dev/null 2>&1 &&
        "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' \
            >/dev/null 2>&1
}
find_python() {
    for candidate in ${PYTHON:-} python3.11 python3.12 python3 /usr/bin/python3; do
        usable "$candidate" && echo "$candidate" && return
    done
    return 1
}
if ! python=$(find_python); then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "setup: installing python3 and python3-venv" >&2
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3 python3-venv
        python=$(find_python) || true
    fi
fi
if [ -z "${python:-}" ]; then
    echo "setup: no Python 3.11 or 3.12 with venv here." >&2
    echo "       On Debian 12: apt-get install python3 python3-venv; or set PYTHON=/path/to/python3.12" >&2
    exit 1
fi

echo "setup: $("$python" --version) → .venv (a minute or two, about 1.3 GB)" >&2
[ -x .venv/bin/python ] && .venv/bin/python -c 'import pip' 2>/dev/null || "$python" -m venv --clear .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check \
    --require-hashes -r requirements.lock
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
echo "$stamp" >.venv/.ready
