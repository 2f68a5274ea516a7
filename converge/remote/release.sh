# Release the workspace's lock. usage: release.sh RUN LOCK [dead]
#   dead   RUN is another run: release its lock only if its process is gone
if [ "${3:-}" = dead ]; then
    if ! read_lock "$2" 2>/dev/null || lives "$anchor" "$start" "$boot"; then exit 0; fi
fi
give_back "$1" "$2"
