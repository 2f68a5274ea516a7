# What a built layer changes: packages old and new with their sizes, and units of the system that
# would restart. Changes nothing; a part of build.sh.
#
# difference LAYER OLD NEW   OLD is "-" where nothing came before
# Prints "in_the_way PATH" for each of the user's own files at a target of a home,
# "LAYER package TEXT" and "LAYER unit TEXT" lines, "LAYER unknown TEXT" for what was not told.
escape=$(printf '\033')
lines() { # lines LAYER WORD: each line of the input, without colours
    sed "s/$escape\[[0-9;]*m//g" | while IFS= read -r line; do
        if [ -n "$line" ]; then printf '%s %s %s\n' "$1" "$2" "$line"; fi
    done
}
difference() {
    if [ "$2" = - ] || [ ! -e "$2" ]; then
        printf '%s unknown no generation before this one is there to compare with\n' "$1"
    else
        flakes store diff-closures "$2" "$3" 2>&1 |
            lines "$1" package
    fi
    if [ -d "$3/home-files" ]; then
        (cd "$3/home-files" && find -L . -type f | sed 's,^\./,,') | in_the_way "$3/home-files"
    fi
    if [ -x "$3/bin/switch-to-configuration" ]; then
        if text=$("$3/bin/switch-to-configuration" dry-activate 2>&1); then
            # That the configuration itself would be activated is no news, and no unit.
            printf '%s\n' "$text" | grep -v '^would activate the configuration' |
                lines "$1" unit
        else
            printf '%s\n' "$text" | head -n 1 | lines "$1" unknown
        fi
    fi
}
