# Give the workspace's lock back. usage: release.sh RUN LOCK [dead]
#   dead   RUN is another run, whose process is gone: only then
if [ "${3:-}" = dead ]; then
    if ! read_lock "$2" 2>/dev/null || lives "$anchor" "$start" "$boot"; then exit 0; fi
fi
give_back "$1" "$2"
