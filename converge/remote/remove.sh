# Take the last of this product off a workspace: what is left of the home's layer, the user's record,
# directories of ours that are empty. What somebody put beside them stays. Wherever it is
# interrupted, the same command does the rest.
#
# usage: remove.sh RUN LOCK LAYERS
#   LOCK      held by RUN; it lies in the directory that goes
#   LAYERS    directory that holds the layer of the home; what somebody put there stays
# Prints "left PATH" for what stays, then "removed".
run=$1 lock=$2 layers=$3 state=${2%/*}
case $state in */workspace-tuning/workspace) ;; *) stop 64 "$state: not the record of a workspace" ;; esac
holds_lock "$run" "$lock" || stop 71 "$lock: not held by run $run"
own "$state" || stop 73 "$why"
undone_all "$state/runs"
take_files "$state/runs" "$layers"
if [ -d "$layers" ] && [ ! -L "$layers" ]; then left "$layers" -mindepth 1; fi
drop_all "$state/runs"
for one in "$state"/* "$state"/.[!.]*; do
    case ${one#"$state/"} in
        written.json* | measurements.json* | rollback | rollback.new | open) ;;
        built | roots | undone | flakes | lock.* | .*.wt-*) ;;
        *) continue ;; # the lock is removed last; other files are not ours
    esac
    rm -rf -- "$one" || stop 70 "$one: cannot be removed"
done
rmdir -- "$state/runs" 2>/dev/null || :
give_back "$run" "$lock"
rmdir -- "$state" "${state%/*}" 2>/dev/null || : # a controller has its journals there
left "$state" -mindepth 1
say removed
