# Print what a built layer changes, in the words of Nix and of the system: packages old and new with
# their sizes, and units of the system that would restart. Changes nothing. A part of build.sh and
# estimate.sh; converge/plan/difference.py reads the lines.
#
# difference LAYER OLD NEW   OLD is "-" without an older generation
# Prints "in_the_way PATH" for each of the user's own files at a target of a home; "alone LAYER" for a
# layer without an older generation, else "closures LAYER FRAME"; for a system also "units LAYER FRAME"
# (frame: common.sh).
units() { "$1/bin/switch-to-configuration" dry-activate 2>&1; }
difference() {
    if [ "$2" = - ] || [ ! -e "$2" ]; then
        say alone "$1"
    else
        say closures "$1" "$(frame flakes store diff-closures "$2" "$3")"
    fi
    for files in "$3/home-files" "$3/$HOME_WITHIN/home-files"; do
        if [ -d "$files" ]; then
            (cd "$files" && find . \( -type f -o -type l \) | sed 's,^\./,,') | in_the_way "$3" "$files"
        fi
    done
    if [ -x "$3/bin/switch-to-configuration" ]; then say units "$1" "$(frame units "$3")"; fi
}
# in_the_way [GENERATION FILES]: print each name of standard input at which the home has something of the
# user's own, which home-manager would move aside or replace. A name that ends in "/" is a directory in
# which home-manager makes links. FILES: the directory of the files of a generation; a file with the same
# bytes is not in the way, and a link is, because home-manager replaces the link.
in_the_way() {
    store=${NIX_STORE_DIR:-/nix/store}
    if [ "$#" -gt 0 ]; then store=${1%/*}; fi
    eval "$OF_HOME_MANAGER"
    while IFS= read -r name_; do
        target_=$HOME/${name_%/}
        if [ ! -e "$target_" ] && [ ! -L "$target_" ]; then continue; fi
        if of_home_manager "$target_" || { [ "$name_" != "${name_%/}" ] && [ -d "$target_" ]; }; then
            continue
        fi
        if [ "$#" -gt 0 ] && [ ! -L "$target_" ] && cmp -s -- "$2/$name_" "$target_"; then continue; fi
        say in_the_way "$target_"
    done
}
