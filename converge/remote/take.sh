# Take the workspace's lock, and change nothing else. usage: take.sh RUN LOCK CONTROLLER (see lock.sh)
# Prints "done", or as write.sh "locked" or "failed".
trap '' HUP INT PIPE
run=$1 lock=$2 controller=$3
take_lock
say 'done'
