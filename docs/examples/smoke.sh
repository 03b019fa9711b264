#!/bin/sh
# smoke.sh: is the device at the other end of a link alive? ARP, ICMP echo, and an echo service if a port is given.
# usage: smoke.sh OURS/LEN DEVICE[:PORT] LINK-TYPE...
#   smoke.sh 10.0.0.1/24 10.0.0.2:7 tap                            (root, or a TAP of yours)
#   smoke.sh 10.0.0.1/24 10.0.0.2 stream listen /tmp/guest.sock    (a guest of QEMU)
# It uses a stack of its own. exit 0: everything answered, 1: something did not, 2: the device could not be asked.
set -eu
if [ $# -lt 3 ]; then
    sed -n '3,5s/^# *//p' "$0" >&2
    exit 2
fi
ours=$1
device=${2%%:*}
port=$(printf '%s' "$2" | sed -n 's/^[^:]*://p')
shift 2

SMOLCTL_STACK=smoke-$device
export SMOLCTL_STACK
trap 'smolctl -q --no-start stack stop >/dev/null 2>&1 || true' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

failed=0
check() {
    what=$1
    shift
    if answer=$("$@" 2>&1); then
        printf 'ok    %-10s %s\n' "$what" "$(printf '%s' "$answer" | tail -n 1)"
    else
        printf 'FAIL  %-10s %s\n' "$what" "$(printf '%s' "$answer" | grep '^smolctl:' || echo "$answer")"
        failed=1
        return 1
    fi
}

smolctl -q link add eth0 type "$@" || exit 2
tries=10
until smolctl link show eth0 | grep -q LOWER_UP; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || { echo "smoke.sh: nothing is plugged in at the other end of $*" >&2 && exit 2; }
    smolctl monitor link dev eth0 -c 1 -w 1 >/dev/null 2>&1 || true
done

owner=$(smolctl arping -D -r -c 1 -w 0.3 -I eth0 "${ours%/*}") || {
    [ -n "$owner" ] || exit 2
    echo "FAIL  our own    ${ours%/*} already belongs to $owner"
    exit 1
}
smolctl addr add "$ours" dev eth0 || exit 2
if check arp smolctl arping -r -c 3 -C 1 -i 0.3 -W 0.5 -I eth0 "$device"; then
    check ping smolctl ping -q -c 3 -i 0.2 -W 1 "$device" || true
    check "ping, full" smolctl ping -q -c 1 -W 1 -s 1472 -M "do" "$device" || true
    [ -z "$port" ] || check "udp $port" smolctl udp send "$device:$port" hello --expect-reply -w 1 || true
fi
if [ "$failed" -ne 0 ]; then
    echo "--- what happened to the last packet, and what was dropped:"
    smolctl why last || true
    smolctl stats drops
fi
exit "$failed"
