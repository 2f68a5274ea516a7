"""The plan, top to bottom, for one workspace. pyinfra runs it once for each, all in parallel.

A workspace is declared once, read once, changed in one step that can be undone, and proved.
"""

from pyinfra import host

from tasks.run import begin
from tasks.steps import activate, build, difference, gate, read, show, write
from tasks.steps import finish as end

work = begin.workspace(host)  # what was given, checked before anything was connected

read.snapshot(work)  # all that is on the workspace, in one remote command
read.make(work)  # the plan: desired - snapshot
gate.hardware(work)  # the profile must be true before anything is written
build.estimate(work)  # what a rebuild would build
show.plan(work)  # nothing has changed up to here

activate.preflight(work)  # what must hold before, and the faults that are not this run's
write.layer_files(work)  # the user's Nix layer: without effect until it is built
write.root_files(work)  # the NixOS layer, the only files of root
build.layers(work)  # nothing of the running system changes
difference.show(work)  # packages old and new, units that will restart
activate.begin(work)  # live files and generations, in a process of the workspace's own
activate.prove(work)  # every setting by its effect, in one remote command
activate.decide(work)  # proved: kept; not proved: undone
end.run(work)
