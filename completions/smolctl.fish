# fish completion for smolctl. Install in /usr/share/fish/vendor_completions.d or ~/.config/fish/completions.
# Words, options and the names of links, addresses, neighbors and stacks come from smolctl itself.

function _smolctl_completion
    set -l response (env _SMOLCTL_COMPLETE=fish_complete COMP_WORDS=(commandline -cp) \
        COMP_CWORD=(commandline -t) smolctl 2>/dev/null)
    for line in $response
        set -l parts (string split -m 1 "," -- $line)
        if test "$parts[1]" = plain
            echo $parts[2]
        end
    end
end

complete --no-files --command smolctl --arguments "(_smolctl_completion)"
