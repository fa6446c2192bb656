# Completion of popug-cli in fish, made by `popug-cli completions fish`.

function __popug_cli_complete
    set -l words (commandline -opc)
    set -l program popug-cli
    string match -q '*/popug-cli' -- $words[1]; and set program $words[1]
    set -l line (commandline -cp)
    for answer in (command $program __complete -- "$line" 2>/dev/null)
        if string match -q ':path*' -- $answer
            set -l stem (string match -r -- '^--[^=]*=' (commandline -ct))
            for path in (__fish_complete_path (string replace -r -- '^--[^=]*=' '' (commandline -ct)))
                printf '%s\n' "$stem$path"
            end
        else
            printf '%s\n' $answer
        end
    end
end

complete -c popug-cli -f -k -a '(__popug_cli_complete)'
