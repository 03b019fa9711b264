# bash completion for smolctl. Install as /usr/share/bash-completion/completions/smolctl, or source it.
# Words, options and the names of links, addresses, neighbors and stacks come from smolctl itself.

_smolctl_completion() {
    local before=${COMP_LINE:0:COMP_POINT} breaks='' cut='' word text line width=0 at
    local -a texts=()
    COMPREPLY=()
    word=${before##*[[:blank:]]}
    # bash takes "=" and ":" for ends of words, and puts an answer behind the last of them.
    [[ $COMP_WORDBREAKS == *=* ]] && breaks+='='
    [[ $COMP_WORDBREAKS == *:* ]] && breaks+=':'
    [[ -n $breaks ]] && cut=${word%"${word##*[$breaks]}"}
    while IFS= read -r line; do
        if [[ $line == '<files>' ]]; then
            compopt -o default 2>/dev/null
            continue
        fi
        text=${line%%$'\t'*}
        COMPREPLY+=("${text#"$cut"}")
        texts+=("${line#"$text"}")
    done < <(_SMOLCTL_COMPLETE=words _SMOLCTL_LINE=${before%"$word"} _SMOLCTL_WORD=$word \
        "$1" 2>/dev/null)

    # Where bash only lists the words (after the second TAB), it lists descriptions as well.
    [[ ${COMP_TYPE:-9} == 63 && ${#COMPREPLY[@]} -gt 1 ]] || return 0
    for text in "${COMPREPLY[@]}"; do
        ((${#text} > width)) && width=${#text}
    done
    for at in "${!COMPREPLY[@]}"; do
        [[ -n ${texts[at]} ]] || continue
        printf -v line '%-*s  (%s)' "$width" "${COMPREPLY[at]}" "${texts[at]#$'\t'}"
        ((${#line} >= ${COLUMNS:-80})) && line="${line:0:${COLUMNS:-80} - 5}...)"
        COMPREPLY[at]=$line
    done
    return 0
}

# nosort keeps the order of the help texts; bash before 4.4 does not know it.
complete -o nosort -F _smolctl_completion smolctl 2>/dev/null ||
    complete -F _smolctl_completion smolctl
