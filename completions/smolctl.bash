# bash completion for smolctl. Install as /usr/share/bash-completion/completions/smolctl, or source it.
# Words, options and the names of links, addresses, neighbors and stacks come from smolctl itself.

_smolctl_completion() {
    local IFS=$'\n' line kind
    COMPREPLY=()
    # The newline in IFS joins the words; the command splits them again, quotes included.
    while IFS=',' read -r kind line; do
        [[ $kind == plain ]] && COMPREPLY+=("$line")
    done < <(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD \
        _SMOLCTL_COMPLETE=bash_complete "$1" 2>/dev/null)
    return 0
}

# nosort keeps the order of the help texts; bash before 4.4 does not know it.
complete -o nosort -F _smolctl_completion smolctl 2>/dev/null ||
    complete -F _smolctl_completion smolctl
