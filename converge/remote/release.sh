# Give the workspace's lock back after a run that failed. usage: release.sh RUN LOCK
set -u
if [ -f "$2" ] && grep -qx "run $1" "$2" 2>/dev/null; then rm -f -- "$2"; fi
