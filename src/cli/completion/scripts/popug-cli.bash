# Completion of popug-cli in bash, made by `popug-cli completions bash`.

_popug_cli() {
    local program=popug-cli line=${COMP_LINE:0:COMP_POINT} stem= word told
    [[ ${COMP_WORDS[0]} == */popug-cli ]] && program=${COMP_WORDS[0]/#\~/$HOME}
    # bash ends a word at `=`: the part up to it stays on the line.
    word=${line##*[[:space:]]}
    [[ $word == -*=* && $COMP_WORDBREAKS == *=* ]] && stem=${word%%=*}=
    COMPREPLY=()
    while IFS=$'\t' read -r word told; do
        if [[ $word == :path ]]; then
            compopt -o bashdefault -o default 2>/dev/null
            continue
        fi
        word=${word#"$stem"}
        # Only the list of choices shows what they mean; it is asked for with code 63.
        [[ $COMP_TYPE == 63 && -n $told ]] && word+="  ($told)"
        COMPREPLY+=("$word")
    done < <("$program" __complete -- "popug-cli ${line#*[[:space:]]}" 2>/dev/null)
}

complete -o nosort -F _popug_cli popug-cli 2>/dev/null || complete -F _popug_cli popug-cli
