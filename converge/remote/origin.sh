# Find the user's files that Nix names by their copies in the store, where Nix reads a flake.
#
# usage: origin.sh PLACE... -- FILE...
#   PLACE  directories that may be the origin; FILE  STORE/HASH-source/PATH
# Prints "origin FILE" and, on the next line, "at PLACE/PATH" where that file has the same bytes.
places=''
while [ "$1" != -- ]; do
    places=$places$1$newline
    shift
done
shift
for file; do
    say "$places" | while IFS= read -r place; do
        own=$place/${file#*-source/}
        if [ -n "$place" ] && [ -f "$own" ] && cmp -s -- "$file" "$own"; then
            say origin "$file"
            say at "$own"
            break
        fi
    done
done
