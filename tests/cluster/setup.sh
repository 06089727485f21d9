#!/usr/bin/env bash
# Checks what the targets of the Makefile need on this machine, all of it before the first minute of building.
# As root with apt-get it installs the packages that are missing. Otherwise it prints the command that does.
#
#   setup.sh           what `make test` needs
#   setup.sh --build   what `make demo` and `make bench` need
#   setup.sh --node    what `make test-node` needs; containerd and the like are installed when the node starts
set -euo pipefail

# A command, and the Debian packages that bring it.
build=("cc:gcc libc6-dev" "make:make")
tests=("setpriv:util-linux" "git:git" "git-lfs:git-lfs" "ssh:openssh-client" "sshd:openssh-server")

needed=("${build[@]}" "${tests[@]}")
node=false
case "${1:-}" in
"") ;;
--build) needed=("${build[@]}") ;;
--node) node=true ;;
*)
    echo "usage: setup.sh [--build|--node]" >&2
    exit 2
    ;;
esac

problems=()

# at_least TOOL VERSION MAJOR MINOR WHERE: VERSION is what the tool prints about itself.
at_least() {
    local tool=$1 printed=$2 major=$3 minor=$4 where=$5
    if [ -z "$printed" ]; then
        problems+=("$tool is missing; version $major.$minor or newer is needed: $where")
    elif ! [[ $printed =~ ([0-9]+)\.([0-9]+) ]]; then
        problems+=("$tool prints no version: $printed")
    elif ((BASH_REMATCH[1] < major || (BASH_REMATCH[1] == major && BASH_REMATCH[2] < minor))); then
        problems+=("$tool is version ${BASH_REMATCH[0]}; $major.$minor or newer is needed: $where")
    fi
}
at_least cargo "$(cargo --version 2>/dev/null || true)" 1 89 https://rustup.rs
at_least go "$(go version 2>/dev/null || true)" 1 24 https://go.dev/dl

root=false
[ "$(id -u)" != 0 ] || root=true
if $node && ! $root; then
    problems+=("a real node needs root: sudo --preserve-env=PATH make test-node")
fi

# The words of the packages whose command is not there.
missing() {
    local pair
    for pair in "${needed[@]}"; do
        case "${pair%%:*}" in
        # Debian keeps it where only root looks.
        sshd) PATH=$PATH:/usr/sbin:/sbin command -v sshd >/dev/null || printf '%s ' "${pair#*:}" ;;
        *) command -v "${pair%%:*}" >/dev/null || printf '%s ' "${pair#*:}" ;;
        esac
    done
}
read -ra packages <<<"$(missing)"
if [ ${#packages[@]} -gt 0 ]; then
    if ! command -v apt-get >/dev/null; then
        problems+=("install these first (the names are those of Debian): ${packages[*]}")
    elif ! $root; then
        problems+=("packages are missing: sudo apt-get install ${packages[*]}")
    elif [ ${#problems[@]} -eq 0 ]; then
        export DEBIAN_FRONTEND=noninteractive
        apt-get -o DPkg::Lock::Timeout=300 -qq update
        apt-get -o DPkg::Lock::Timeout=300 -qq --yes install "${packages[@]}"
        hash -r
        read -ra packages <<<"$(missing)"
        [ ${#packages[@]} -eq 0 ] || problems+=("still missing after the installation: ${packages[*]}")
    fi
fi

[ ${#problems[@]} -gt 0 ] || exit 0
printf 'setup: %s\n' "${problems[@]}" >&2
exit 1
