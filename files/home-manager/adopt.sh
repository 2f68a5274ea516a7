# Put launchers in front of the applications that a profile has, from any packages.
#
# usage: adopt.sh PROFILE [PROGRAM LAUNCHER]...
# Enters: a profile that is being built, and for each program the text of its launcher (launch.sh).
# Leaves: bin/PROGRAM as the launcher of the former bin/PROGRAM, and menu entries that start the launcher.
# A program that the profile does not have is left out; its limits are for an installation elsewhere.
set -eu
profile=$1
shift

# A directory that is one link into a package cannot be written to: it becomes links to files.
for directory in bin share share/applications; do
    if [ -L "$profile/$directory" ]; then
        original=$(readlink -f "$profile/$directory")
        rm "$profile/$directory"
        mkdir "$profile/$directory"
        ln -s "$original"/* "$profile/$directory/"
    fi
done

edits=''
assignment='"[A-Za-z_][A-Za-z_0-9]*=[^"]*"|[A-Za-z_][A-Za-z_0-9]*=[^"[:space:]]*'
env="(([^[:space:]]*/)?env[[:space:]]+(($assignment)[[:space:]]+)*)?"
newline='
'
while [ "$#" -gt 1 ]; do
    program=$1 launcher=$2
    shift 2
    if [ ! -e "$profile/bin/$program" ]; then continue; fi
    if [ -L "$profile/bin/$program" ]; then
        original=$(readlink "$profile/bin/$program")
        rm "$profile/bin/$program"
    else # made in the profile by a command of the user's
        original=$profile/bin/.$program-own
        mv "$profile/bin/$program" "$original"
    fi
    { echo '#!/bin/sh' && sed "s#@program@#'$original'#" "$launcher"; } >"$profile/bin/$program"
    chmod 755 "$profile/bin/$program"
    # An entry names its program by a word looked up in PATH, or by some package's path, in quotes or
    # not, and perhaps behind "env NAME=VALUE".
    edits="$edits${newline}s#^((Try)?Exec=$env)\"?([^[:space:]\"]*/)?$program\"?([[:space:]]|\$)#\\1$profile/bin/$program\\8#"
done

for entry in "$profile"/share/applications/*.desktop; do
    if [ -e "$entry" ]; then
        changed=$(sed -E "$edits" "$entry" && echo .)
        if [ "${changed%.}" != "$(cat "$entry")$newline" ]; then
            rm "$entry"
            printf '%s' "${changed%.}" >"$entry"
        fi
    fi
done
