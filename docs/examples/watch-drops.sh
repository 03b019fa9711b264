#!/bin/sh
# watch-drops.sh: does a stack lose packets? Watches it for a while, and says what it lost, why, and what helps.
# usage: watch-drops.sh [SECONDS [MAX]]     the default is 10 seconds and 0 packets
# The stack is that of SMOLCTL_STACK. exit 0: no more than MAX, 1: more, 2 or 3: no such stack.
set -eu
seconds=${1:-10}
max=${2:-0}

seen=$(mktemp)
trap 'rm -f "$seen"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

smolctl --no-start -j monitor drops -w "$seconds" >"$seen"

# A packet that only waited is not lost. Events that this reader was too slow for count: these packets were in trouble.
count=$(jq -s 'map(if .event == "lost" then .count elif .class == "drop" or .class == "reject" then 1 else 0 end)
    | add // 0' "$seen")
jq -rs 'map(select(.class == "drop" or .class == "reject"))
    | group_by(.reason) | sort_by(-length)[]
    | "\(length)\t\(.[0].reason)\t\(.[0].summary) (smolctl why \(.[0].id))"' "$seen"

# The counters know what helps.
for reason in $(jq -r 'select(.class == "drop" or .class == "reject") | .reason' "$seen" | sort -u); do
    smolctl -j stats drops | jq -r --arg reason "$reason" \
        '[.[] | select(.reason == $reason) | .fix[]] | unique[] | "fix:    \(.)"'
done
echo "$count packets were lost in $seconds s, at most $max are allowed"
[ "$count" -le "$max" ] || exit 1
