"""The plan, top to bottom, for one workspace. pyinfra runs it once for each, all in parallel.

A workspace is declared once, read once, changed in one step that can be undone, and proved.
"""

from pyinfra import host

from tasks.run.operations import change, look
from tasks.run.stages import workspace
from tasks.steps import activate, build, difference, finish, gate, read, show, trial, write

planned = look(
    workspace(host),  # what was given, checked before anything was connected
    read.snapshot,  # all that is on the workspace, in one remote command
    read.plan,  # the plan: desired - snapshot
    gate.hardware,  # the profile must be true before anything is written
    build.estimate,  # what a rebuild would build
    show.plan,  # nothing has changed up to here
)
change(
    planned,
    activate.preflight,  # what must hold before, and the faults that are not this run's
    write.layer_files,  # the user's Nix layer: without effect until it is built
    write.root_files,  # the NixOS layer, the only files of root
    build.layers,  # nothing of the running system changes
    difference.show,  # packages old and new, units that will restart
    activate.begin,  # live files and generations, in a process of the workspace's own
    activate.prove,  # every setting by its effect, in one remote command
    activate.decide,  # proved: kept; not proved: undone; to be proved after a boot: on trial
    trial.boot,  # where the machine may be restarted: boot it once, and see how it ends
    finish.run,
)
