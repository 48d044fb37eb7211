# Set-up shared by the scripts: system packages, virtual environment. Source it; it defines functions and runs nothing.
# Everything can be run again and again; what is there already is not done twice.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV=$ROOT/.venv
export PATH=$VENV/bin:$PATH
export PIP_DISABLE_PIP_VERSION_CHECK=1

# What solovirt needs to run guests and to pull images (`solovirt doctor` says what is for what).
RUN_PACKAGES="qemu-system-x86 qemu-utils seabios ovmf swtpm uidmap skopeo acl zstd util-linux tzdata python3-venv"

# What only the tests start: a browser for pages, and what the Debian guest is built with.
TEST_PACKAGES="openssl chromium mmdebstrap mtools e2fsprogs fdisk iproute2"

say() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }

die() { printf 'error: %s\n' "$*" >&2; exit 1; }

missing_packages() {
    local package
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || echo "$package"
    done
}

need_packages() {
    command -v dpkg-query >/dev/null || { say "not Debian: packages are not checked"; return 0; }
    local missing as_root=""
    missing=$(missing_packages "$@" | tr '\n' ' ')
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || die "these packages are missing: $missing
ask root for: apt-get install $missing"
        as_root=sudo
    fi
    say "installing packages: $missing"
    # shellcheck disable=SC2086
    { $as_root apt-get update -qq &&
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null; } ||
        die "apt-get could not install: $missing"
}

# The system's Python is preferred: other users of this machine can run it too, which the tests do.
system_python() {
    local candidate
    for candidate in /usr/bin/python3 "$(command -v python3)"; do
        if [ -x "$candidate" ] && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return 0
        fi
    done
    die "Python 3.11 or newer is needed: apt-get install python3 python3-venv"
}

need_venv() {  # need_venv EXTRAS: the editable package with its extras ("" or "dev")
    local extras=$1 stamp wanted
    wanted="$(cksum <"$ROOT/pyproject.toml") $extras $ROOT"
    stamp=$VENV/.solovirt-$extras
    [ -x "$VENV/bin/solovirt" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return 0
    say "virtual environment in $VENV"
    [ -x "$VENV/bin/python" ] || "$(system_python)" -m venv "$VENV" || die "no virtual environment: apt-get install python3-venv"
    "$VENV/bin/pip" install --quiet --editable "$ROOT${extras:+[$extras]}" || die "pip could not install solovirt"
    echo "$wanted" >"$stamp"
}
