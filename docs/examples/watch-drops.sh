#!/bin/sh
# watch-drops.sh: does a stack lose packets? Watches it for a while, and says which ones it lost, why, and what helps.
# usage: watch-drops.sh [SECONDS [MOST]]     10 seconds and 0 packets without them
# The stack is that of SMOLCTL_STACK. exit 0: no more than MOST, 1: more, 2 or 3: no such stack.
set -eu
seconds=${1:-10}
most=${2:-0}

seen=$(mktemp)
trap 'rm -f "$seen"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

smolctl --no-start -j monitor drops -w "$seconds" >"$seen"

# A packet that only had to wait is no loss. What this reader was too slow for counts: it went wrong, too.
count=$(jq -s 'map(if .event == "lost" then .count elif .class == "drop" or .class == "reject" then 1 else 0 end)
    | add // 0' "$seen")
jq -rs 'map(select(.class == "drop" or .class == "reject"))
    | group_by(.reason) | sort_by(-length)[]
    | "\(length)\t\(.[0].reason)\t\(.[0].summary) (smolctl why \(.[0].id))"' "$seen"

# What helps against each is known to the counters.
for reason in $(jq -r 'select(.class == "drop" or .class == "reject") | .reason' "$seen" | sort -u); do
    smolctl -j stats drops | jq -r --arg reason "$reason" \
        '[.[] | select(.reason == $reason) | .fix[]] | unique[] | "fix:    \(.)"'
done
echo "$count packets were lost in $seconds s, $most may be"
[ "$count" -le "$most" ] || exit 1
