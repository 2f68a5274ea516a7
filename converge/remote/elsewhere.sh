# Evaluate a layer for a build on another machine, and build nothing. The controller's Nix copies
# between the machines (tasks/reach/nix.py); nix-daemon answers it.
#
# usage: elsewhere.sh derive FLAKE ATTRIBUTE BASE IMPURE   IMPURE: --impure, or empty
#        elsewhere.sh daemon
# Prints "daemon PLACE", the path of nix-daemon; derive also "derivation PATH". Exit: 0 done, 70 failed.
leave_git_alone
daemon=$(command -v nix-daemon) || stop 70 "nix-daemon is not installed"
say daemon "$daemon"
if [ "$1" = derive ]; then
    path=$(flakes eval --raw "path:$2#$3.drvPath" \
        --override-input base "$4" --no-write-lock-file ${5:+--impure}) || stop 70 "evaluation of $3"
    say derivation "$path"
fi
