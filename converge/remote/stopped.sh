# Tell what a run wrote, by the manifest of its record, and whether a stopped run wrote a file: a run that
# stops between writing a layer and activating it leaves the layer's files. A part of the programs with
# restore.sh and discard.sh.
# shellcheck shell=sh disable=SC2034,SC2154
sound() { # sound RECORD: whether its manifest is line for line what was sent
    plain_file "$1/manifest" && [ "$(tail -n 1 -- "$1/manifest" 2>/dev/null)" = end ] &&
        sum=$(sed '/^whole /,$d' "$1/manifest" | sha256sum) &&
        grep -qx "whole - - ${sum%% *} -" "$1/manifest"
}
after() { # after RECORD NUMBER: the digest of what the run wrote, or "absent"
    after_=$(sed -n "s/^after $2 - \([0-9a-f]*\) -$/\1/p" "$1/manifest")
    say "${after_:-absent}"
}
of_stopped() { # of_stopped RUNS PATH DIGEST: whether a stopped run left PATH so; "absent": removed it
    for other_ in "$1"/[0-9]*t[0-9]*-*/layer; do
        # Of a change that root made, its user has a number here and nothing else.
        if [ -e "${other_%/layer}/number" ] || ! plain_file "$other_/manifest" ||
            ! grep -qF -- " $2" "$other_/manifest"; then
            continue
        fi
        case $(standing_of "${other_%/layer}/transaction") in '' | undone*) ;; *) continue ;; esac
        sound "$other_" || continue
        while IFS=' ' read -r kind_ number_ _ _ path_; do
            [ "$path_" = "$2" ] || continue
            case $kind_:$3 in
                gone:absent) return 0 ;;
                file:absent) ;;
                file:*) if [ "$(after "$other_" "$number_")" = "$3" ]; then return 0; fi ;;
            esac
        done <"$other_/manifest"
    done
    return 1
}
