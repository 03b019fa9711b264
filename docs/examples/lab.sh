#!/bin/sh
# lab.sh: run a command, or a shell, in a lab of two hosts with a router between them (three stacks on cables).
# usage: lab.sh [COMMAND...]     e.g. lab.sh smolctl -n left traceroute 10.2.0.2
#   LAB_LINK="delay 20ms loss 1%" lab.sh ...     impairs the router's link to the right host
# It needs no root, and removes the lab when the command ends. exit: that of the command; 2: there is no lab.
set -eu
XDG_RUNTIME_DIR=$(mktemp -d)
export XDG_RUNTIME_DIR
# shellcheck disable=SC2317  # called by the trap
cleanup() {
    for stack in left router right; do
        smolctl -q --no-start -n "$stack" stack stop >/dev/null 2>&1 || true
    done
    rm -rf "$XDG_RUNTIME_DIR"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

stack() {
    smolctl -q -n "$1" batch - >/dev/null || exit 2
}
stack router <<END
link add west type cable name c1
addr add 10.1.0.1/24 dev west
link add east type cable name c2
addr add 10.2.0.1/24 dev east
sysctl ip.forward=1
END
stack left <<END
link add eth0 type cable name c1
addr add 10.1.0.2/24 dev eth0
route add default via 10.1.0.1
END
stack right <<END
link add eth0 type cable name c2
addr add 10.2.0.2/24 dev eth0
route add default via 10.2.0.1
END
# Cables are connected one after the other: the lab is ready when the ends hear each other.
tries=50
until smolctl -q -n left ping -q -c 1 -W 0.1 10.2.0.2 >/dev/null 2>&1; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || exit 2
done
# shellcheck disable=SC2086  # words of their own
[ -z "${LAB_LINK:-}" ] || smolctl -n router link set east $LAB_LINK || exit 2

[ $# -gt 0 ] || set -- "${SHELL:-sh}"
status=0
"$@" || status=$?
exit "$status"
