# fish completion for smolctl. Install in /usr/share/fish/vendor_completions.d or ~/.config/fish/completions.
# Words, options and the names of links, addresses, neighbors and stacks come from smolctl itself.

function _smolctl_completion
    set -l before (commandline -cpo)
    set -l word (commandline -ct)
    for line in (_SMOLCTL_COMPLETE=words _SMOLCTL_LINE=(string join ' ' -- (string escape -- $before) '') \
            _SMOLCTL_WORD=$word $before[1] 2>/dev/null)
        if test "$line" = '<files>'
            __fish_complete_path $word
        else
            echo $line
        end
    end
end

complete --keep-order --no-files --command smolctl --arguments "(_smolctl_completion)"
