"""The plan, top to bottom, for one workspace. pyinfra runs it once for each, all in parallel.

A workspace is declared once, read once, changed in one step that can be undone, and proved.
"""

from pyinfra import host

from tasks import begin, build, gate, read, show, write
from tasks import finish as end

work = begin.workspace(host)  # what was given, checked before anything was connected

read.snapshot(work)  # all that is on the workspace, in one remote command
gate.hardware(work)  # the profile must be true before anything is written
read.make(work)  # the plan: desired - snapshot
build.estimate(work)  # what a rebuild would build
show.plan(work)  # nothing has changed up to here

write.user_files(work)  # every changed file of the user, in one remote command
write.root_files(work)  # the NixOS layer, the only files of root
build.layers(work)  # nothing of the running system changes
build.generations(work)  # a new generation each, the old ones kept
write.reload(work)  # KWin and Baloo read their files again
end.run(work)  # what was written is recorded, the lock is released
