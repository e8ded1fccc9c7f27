#!/bin/bash
# Completion of kedge: commands, flags and kinds from kedge itself, names from the coordinator (within a second).
_kedge() {
    local line=${COMP_LINE:0:COMP_POINT} words last candidate shown=''
    # The words as kedge will see them: bash itself cuts NAME:VERSION at the colon, and wants only what follows it.
    read -ra words <<<"$line"
    if [[ $line == *' ' ]]; then
        words+=('')
    fi
    last=${words[-1]}
    if [[ $COMP_WORDBREAKS == *:* && $last == *:* ]]; then
        shown=${last%:*}:
    fi
    COMPREPLY=()
    while IFS= read -r candidate; do
        COMPREPLY+=("${candidate#"$shown"}")
    done < <("${COMP_WORDS[0]}" __complete "${words[@]:1}" 2>/dev/null)
}
complete -o bashdefault -o default -F _kedge kedge
