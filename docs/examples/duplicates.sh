#!/bin/sh
# duplicates.sh: do two hosts have the same address? Sends ARP requests for all addresses of a network at once.
# usage: duplicates.sh DEV A.B.C [FIRST [LAST]]     e.g. duplicates.sh eth0 10.0.0, or 10.0.0 100 199
# The stack is that of SMOLCTL_STACK. exit 0: no address has two owners, 1: some have, 2: nobody could be asked.
set -eu
if [ $# -lt 2 ]; then
    sed -n '3s/^# *//p' "$0" >&2
    exit 2
fi
dev=$1
net=$2
first=${3:-1}
last=${4:-254}

answers=$(mktemp)
tracer=
# shellcheck disable=SC2317  # called by the trap
cleanup() {
    [ -z "$tracer" ] || kill "$tracer" 2>/dev/null || true
    rm -f "$answers"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

ctl() {
    smolctl -q --no-start "$@"
}

ours=$(ctl -j addr show dev "$dev") || exit 2
ours=$(printf '%s' "$ours" | jq -r '[.[].addr_info[].local] | join(" ")')

# Record every answer, also the second one for an address, which the neighbor cache does not keep.
smolctl -q --no-start -j trace "$dev" arp and in >"$answers" &
tracer=$!
until grep -q '"start"' "$answers"; do kill -0 "$tracer" && sleep 0.1; done
# Probes (RFC 5227) have no sender address, so another owner of one of our addresses also answers.
seq -f "arping -D -q -c 1 -w 0.01 -I $dev $net.%.0f" "$first" "$last" | ctl batch --force - >/dev/null 2>&1 || true
sleep 1
kill "$tracer"
wait "$tracer" 2>/dev/null || true
tracer=

owners=$(jq -r 'select(.event == "packet" and .packet.op == "reply") | "\(.packet.src) \(.packet.lladdr)"' "$answers" |
    sort -u | awk -v ours=" $ours " '
        { owners[$1] = owners[$1] " " $2; count[$1]++ }
        index(ours, " " $1 " ") && count[$1] == 1 { owners[$1] = " ourselves" owners[$1]; count[$1]++ }
        END { for (address in count) print (count[address] > 1 ? "TWICE" : "ok   "), address, owners[address] }')
[ -n "$owners" ] || echo "nobody but us answers on $dev"
printf '%s\n' "$owners" | sort -t . -k 4n
case $owners in *TWICE*) exit 1 ;; esac
