# Print what a built layer changes, in the words of Nix and of the system: packages old and new with
# their sizes, and units of the system that would restart. Changes nothing. A part of build.sh;
# converge/plan/difference.py reads the lines.
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
            (cd "$files" && find -L . -type f | sed 's,^\./,,') | in_the_way "$files"
        fi
    done
    if [ -x "$3/bin/switch-to-configuration" ]; then say units "$1" "$(frame units "$3")"; fi
}
