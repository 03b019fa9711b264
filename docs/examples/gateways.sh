#!/bin/sh
# gateways.sh: is every gateway of a stack alive, and do two neighbors share a MAC address?
# usage: gateways.sh [STACK]      exit 0: all is well, 1: something is wrong, 2: no such stack
set -eu
stack=${1:-default}
failed=0

ctl() {
    smolctl --no-start --stack "$stack" "$@"
}

routes=$(ctl -j route show) || exit 2

gateways=$(printf '%s' "$routes" | jq -r '.[].gateway // empty' | sort -u)
[ -n "$gateways" ] || echo "stack $stack has no gateway"

for gateway in $gateways; do
    # The FIB says which interface leads to the gateway.
    dev=$(ctl -j route get "$gateway" | jq -r '.[0].dev')
    if mac=$(ctl arping -r -c 3 -C 1 -i 0.3 -W 0.3 -I "$dev" "$gateway" 2>/dev/null); then
        printf 'ok     %-15s %s  dev %s\n' "$gateway" "$mac" "$dev"
    else
        printf 'dead   %-15s no ARP reply on %s\n' "$gateway" "$dev"
        failed=1
    fi
done

# Two neighbors with one MAC address: a router that answers for others, or an address that is used twice.
neighbors=$(ctl -j neigh show)
for mac in $(printf '%s' "$neighbors" | jq -r '.[].lladdr // empty' | sort | uniq -d); do
    owners=$(printf '%s' "$neighbors" |
        jq -r --arg mac "$mac" '[.[] | select(.lladdr == $mac) | .dst] | join(", ")')
    printf 'shared %s is the MAC of %s\n' "$mac" "$owners"
    failed=1
done

# Show what the stack itself refused or dropped so far, the most frequent reason first.
ctl -j stats drops |
    jq -r '.[] | select(.class == "drop" or .class == "reject") | "\(.count)\t\(.reason)\t\(.hint)"'
exit "$failed"
