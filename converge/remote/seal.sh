# Seal a record so that it can lose any one of its files: for each file that an undo needs, LABEL.sums
# has digest and mode, and the archive LABEL.spare has a second copy. A part of write.sh, transact.sh
# and rollback.sh.
# shellcheck shell=sh disable=SC2034,SC2154
text_of() { # text_of FILE: print it if it is a regular file
    regular "$1"
    cat -- "$file_" 2>/dev/null
}
plain_file() { [ -f "$1" ] && [ ! -L "$1" ] && [ -r "$1" ]; }
# seal DIRECTORY LABEL NAME...: seal those of the names that exist; else "why".
seal() {
    sealed_=$1 label_=$2
    shift 2
    for name_ in "$@"; do
        shift
        if [ -f "$sealed_/$name_" ]; then set -- "$@" "$name_"; fi
    done
    [ "$#" -gt 0 ] || return 0
    path_=$sealed_/$label_.sums
    why=$({
        cd -- "$sealed_" && { sha256sum -- "$@" && stat -c '%a %n' -- "$@"; } >"$path_.new" &&
            digest_=$(sha256sum <"$path_.new") && say "whole ${digest_%% *}" >>"$path_.new" &&
            settle "$path_"
    } 2>&1) || unsettled || return 1
    path_=$sealed_/$label_.spare
    # Written by the page, since of half a block tar does not say that the disk is full.
    why=$({ tar -b 8 -cf "$path_.new" -C "$sealed_" -- "$label_.sums" "$@" && settle "$path_"; } 2>&1) &&
        return 0
    unsettled
}
# sums_whole FILE: whether it is what seal wrote; sets "list_" to its lines and "names_" to its names.
sums_whole() {
    plain_file "$1" || return 1
    list_=$(sed '$d' "$1") && digest_=$(say "$list_" | sha256sum) &&
        [ "$(tail -n 1 -- "$1" | tr -d '\0')" = "whole ${digest_%% *}" ] &&
        names_=$(say "$list_" | sed -n 's/^[0-9a-f]\{64\}  //p')
}
as_sealed() { # as_sealed DIRECTORY NAME: whether the file has the digest of the list
    plain_file "$1/$2" && found_=$(cd -- "$1" && sha256sum -- "$2") &&
        say "$list_" | grep -qxF -e "$found_"
}
differing() { # differing DIRECTORY: print the names that are not as they were sealed
    # Most often all are whole, which one process tells. A failure must not end a program with "set -e".
    all_=$(
        cd -- "$1" || exit
        for name_ in $names_; do plain_file "$name_" || exit; done
        # shellcheck disable=SC2086 # names of ours, without blanks
        sha256sum -- $names_
    ) || all_=''
    case $list_ in "$all_$newline"*) return 0 ;; esac
    say "$names_" | while IFS= read -r name_; do
        as_sealed "$1" "$name_" || say "$name_"
    done
}
# mend DIRECTORY LABEL: restore each file that is not as it was sealed from the spare. Fails where this
# is not enough, and "why" names what is damaged; 2 where nothing was sealed.
mend() {
    mended_=no spare_=$1/$2.spare mending_=$1/.mending
    if [ ! -e "$1/$2.sums" ] && [ ! -e "$spare_" ]; then
        why="its record is damaged: $1/$2.sums is gone"
        return 2
    fi
    if sums_whole "$1/$2.sums" && [ -z "$(differing "$1")" ]; then return 0; fi
    why="its record is damaged: $1/$2.sums"
    rm -rf -- "$mending_"
    if plain_file "$spare_" && mkdir -p -- "$mending_" 2>/dev/null; then
        tar -xpf "$spare_" -C "$mending_" --no-same-owner 2>/dev/null
    fi
    if sums_whole "$1/$2.sums" || { sums_whole "$mending_/$2.sums" && mend_one "$1" "$2.sums"; }; then
        why=''
        for name_ in $(differing "$1"); do
            why="$why $1/$name_"
            if as_sealed "$mending_" "$name_" && mend_one "$1" "$name_"; then why=${why% *}; fi
        done
        if [ -z "$why" ]; then
            rm -rf -- "$mending_"
            return 0
        fi
        why="its record is damaged:$why"
    fi
    rm -rf -- "$mending_"
    return 1
}
mend_one() { # mend_one DIRECTORY NAME: replace whatever is there
    case $2 in */*)
        if [ -e "$1/${2%/*}" ] && [ ! -d "$1/${2%/*}" ]; then rm -f -- "$1/${2%/*}"; fi
        mkdir -p -- "$1/${2%/*}"
        ;;
    esac
    if [ -d "$1/$2" ]; then mv -T -- "$1/$2" "$1/$2.was-a-directory"; fi
    mv -fT -- "$1/.mending/$2" "$1/$2" && mended_=yes
} 2>/dev/null
# usable TRANSACTION: whether all that an undo runs and reads there is as it was sealed, or from a
# version without seals. Else "why" says what is damaged, and what a person can do.
usable() {
    mend "$1" programs
    case $? in
        0) return 0 ;;
        1)
            if sums_whole "$1/programs.sums"; then
                one=''
                for name_ in plan transact.sh undo.sh entries.awk; do
                    if ! as_sealed "$1" "$name_"; then one="$one $1/$name_"; fi
                done
                if [ -z "$one" ]; then return 0; fi
                why="its record is damaged:$one"
            fi
            ;;
        *)
            if plain_file "$1/undo.sh" && plain_file "$1/transact.sh" && plain_file "$1/plan" &&
                sh -n "$1/undo.sh" 2>/dev/null && sh -n "$1/transact.sh" 2>/dev/null; then
                return 0
            fi
            ;;
    esac
    why="$why; by hand: $(commands_of "${1%/transaction}")rm -r -- $(quoted "${1%/transaction}")"
    return 1
}
quoted() { printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"; }
# commands_of RUN_DIRECTORY: print commands that restore its files, "; " after each. What is there now stays
# beside each, since somebody may have written to it.
commands_of() {
    for record_ in "$1"/*/manifest; do
        plain_file "$record_" || continue
        while IFS=' ' read -r kind_ number_ _ before_ path_; do
            case $kind_:$before_ in
                file:absent | kde:absent) printf 'mv -nT -- %s %s; ' "$(quoted "$path_")" "$(quoted "$path_.undone")" ;;
                file:* | kde:* | gone:*)
                    printf 'cp -pT --backup=numbered -- %s %s; ' "$(quoted "${record_%/*}/before/$number_")" "$(quoted "$path_")"
                    ;;
            esac
        done <"$record_"
    done
    for word_ in home-manager nixos; do
        link_=$(text_of "$1/transaction/plan" |
            sed -n "s|^$word_ [^ ]* \([^ ]*\) \([0-9][0-9]*\) .*|nix-env -p \1 --switch-generation \2|p")
        if [ -n "$link_" ]; then printf '%s, then activate it; ' "$link_"; fi
    done
}
