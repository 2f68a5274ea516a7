# Builder of the miniature package set. Enters: the derivation's environment. Leaves: its outputs.
# Tools: those in PATH (coreutils, sed). `buildCommand` replaces everything else.
# A system has some eighty derivations, so that each program that one starts counts.
if [ -n "$buildCommand" ]; then
    eval "$buildCommand"
    exit 0
fi

programs=${bin:-$out}
set -- "$out/nix-support"
for output in ${outputs:-out}; do eval "set -- \"\$@\" \"\$$output\""; done
[ -z "$commands" ] || set -- "$@" "$programs/bin"
[ -z "$desktopEntries" ] || set -- "$@" "$out/share/applications"
mkdir -p "$@"

# The flags that would have reached the compiler, so that a built package shows them.
printf '%s\n' "$NIX_CFLAGS_COMPILE" > "$out/nix-support/cflags"
printf '%s\n' "$NIX_RUSTFLAGS" > "$out/nix-support/rustflags"
printf '%s\n' "$GOAMD64" > "$out/nix-support/goamd64"

# Commands: scripts that say who they are and with which arguments they were started.
for command in $commands; do
    printf '#!/bin/sh\nprintf "%%s" "%s from %s"; for a; do printf " [%%s]" "$a"; done; printf "\\n"\n' \
        "$command" "$name" > "$programs/bin/$command"
done
[ -z "$commands" ] || (cd "$programs/bin" && chmod 755 $commands)

# Desktop entries: "<file>=<command line>", one a line.
if [ -n "$desktopEntries" ]; then
    printf '%s\n' "$desktopEntries" | while IFS='=' read -r file line; do
        [ -n "$file" ] || continue
        printf '[Desktop Entry]\nType=Application\nName=%s\nExec=%s\nIcon=%s\n\n[Desktop Action new]\nExec=%s --new\n' \
            "$file" "$line" "$file" "$line" | sed "s#@out@#$out#" > "$out/share/applications/$file"
    done
fi
