# What a built layer changes: packages old and new with their sizes, and units of the system that
# would restart. Changes nothing.
#
# usage: difference.sh [LAYER OLD NEW]...   OLD is "-" where nothing came before
# Prints "in_the_way PATH" for each of the user's own files at a target of a home,
# "LAYER package TEXT" and "LAYER unit TEXT" lines, "LAYER unknown TEXT" for what was not told.
escape=$(printf '\033')
lines() { # lines LAYER WORD: each line of the input, without colours
    sed "s/$escape\[[0-9;]*m//g" | while IFS= read -r line; do
        if [ -n "$line" ]; then printf '%s %s %s\n' "$1" "$2" "$line"; fi
    done
}
while [ "$#" -ge 3 ]; do
    layer=$1 old=$2 new=$3
    shift 3
    if [ "$old" = - ] || [ ! -e "$old" ]; then
        printf '%s unknown no generation before this one is there to compare with\n' "$layer"
    else
        flakes store diff-closures "$old" "$new" 2>&1 |
            lines "$layer" package
    fi
    if [ -d "$new/home-files" ]; then
        (cd "$new/home-files" && find -L . -type f | sed 's,^\./,,') | in_the_way "$new/home-files"
    fi
    if [ -x "$new/bin/switch-to-configuration" ]; then
        if text=$("$new/bin/switch-to-configuration" dry-activate 2>&1); then
            # That the configuration itself would be activated is no news, and no unit.
            printf '%s\n' "$text" | grep -v '^would activate the configuration' |
                lines "$layer" unit
        else
            printf '%s\n' "$text" | head -n 1 | lines "$layer" unknown
        fi
    fi
done
echo 'done'
