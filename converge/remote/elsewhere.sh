# The workspace's part of a build on another machine: evaluate, build nothing. What moves between
# machines is moved by the Nix of the controller (tasks/reach/nix.py), to which nix-daemon answers.
#
# usage: elsewhere.sh derive FLAKE ATTRIBUTE BASE IMPURE   IMPURE: --impure, or empty
#        elsewhere.sh daemon
# Prints "daemon PLACE" of nix-daemon; derive also "derivation PATH". Exit: 0 done, 70 failed.
leave_git_alone
daemon=$(command -v nix-daemon) || stop 70 "nix-daemon is not installed"
say daemon "$daemon"
if [ "$1" = derive ]; then
    path=$(flakes eval --raw "path:$2#$3.drvPath" \
        --override-input base "$4" --no-write-lock-file ${5:+--impure}) || stop 70 "evaluation of $3"
    say derivation "$path"
fi
