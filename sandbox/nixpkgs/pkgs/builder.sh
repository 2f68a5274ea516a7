# Builder of the miniature package set. Enters: the derivation's environment. Leaves: its outputs.
# Tools: those in PATH (coreutils, sed). `buildCommand` replaces everything else.
for output in ${outputs:-out}; do
    eval "directory=\$$output"
    [ -n "$buildCommand" ] || mkdir -p "$directory"
done

if [ -n "$buildCommand" ]; then
    eval "$buildCommand"
    exit 0
fi

# The flags that would have reached the compiler, so that a built package shows them.
mkdir -p "$out/nix-support"
printf '%s\n' "$NIX_CFLAGS_COMPILE" > "$out/nix-support/cflags"
printf '%s\n' "$NIX_RUSTFLAGS" > "$out/nix-support/rustflags"
printf '%s\n' "$GOAMD64" > "$out/nix-support/goamd64"

# Commands: scripts that say who they are and with which arguments they were started.
programs=${bin:-$out}
for command in $commands; do
    mkdir -p "$programs/bin"
    printf '#!/bin/sh\nprintf "%%s" "%s from %s"; for a; do printf " [%%s]" "$a"; done; printf "\\n"\n' \
        "$command" "$name" > "$programs/bin/$command"
    chmod 755 "$programs/bin/$command"
done

# Desktop entries: "<file>=<command line>", one a line.
if [ -n "$desktopEntries" ]; then
    mkdir -p "$out/share/applications"
    printf '%s\n' "$desktopEntries" | while IFS='=' read -r file line; do
        [ -n "$file" ] || continue
        printf '[Desktop Entry]\nType=Application\nName=%s\nExec=%s\nIcon=%s\n\n[Desktop Action new]\nExec=%s --new\n' \
            "$file" "$line" "$file" "$line" | sed "s#@out@#$out#" > "$out/share/applications/$file"
    done
fi
