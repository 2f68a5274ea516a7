# Give the workspace's lock back after a run that failed. usage: release.sh RUN LOCK
give_back "$1" "$2"
