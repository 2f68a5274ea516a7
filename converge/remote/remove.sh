# Take the last of this product off a workspace: the record, and directories of ours that are empty.
# What somebody put beside them stays.
#
# usage: remove.sh RUN LOCK HOME_LAYERS
#   LOCK         held by RUN; it lies in the directory that goes
#   HOME_LAYERS  directory that holds the layer of the home; what somebody put there stays
# Prints "left PATH" for what stays, then "removed".
run=$1 lock=$2 layers=$3 state=${2%/*}
case $state in */workspace-tuning/workspace) ;; *) stop 64 "$state: not the record of a workspace" ;; esac
holds_lock "$run" "$lock" || stop 71 "$lock: not held by run $run"
own "$state" || stop 73 "$why"
for transaction in "$state"/runs/*/transaction; do
    status=$(standing_of "$transaction") || continue
    case $status in undone*) ;; *) stop 73 "$transaction/status: it is not undone" ;; esac
done
if [ -d "$layers" ] && [ ! -L "$layers" ]; then
    find "$layers" -depth -type d -empty -exec rmdir -- {} \; # at once: the one above may be empty then
    find "$layers" -mindepth 1 ! -type d 2>/dev/null | while IFS= read -r name; do say left "$name"; done
fi
for one in "$state"/* "$state"/.[!.]* "$state"/runs/*; do
    case ${one#"$state/"} in
        runs/[0-9]*t[0-9]*-* | written.json* | measurements.json* | rollback | rollback.new | open) ;;
        built | roots | undone | flakes | lock.* | .*.wt-*) ;;
        *) continue ;; # the lock goes last; the rest is somebody's own
    esac
    rm -rf -- "$one" || stop 70 "$one: cannot be removed"
done
give_back "$run" "$lock"
rmdir -- "$state/runs" "$state" "${state%/*}" 2>/dev/null || : # a controller has its journals there
find "$state" -mindepth 1 ! -type d 2>/dev/null | while IFS= read -r name; do say left "$name"; done
say removed
