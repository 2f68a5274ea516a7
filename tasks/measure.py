"""Measure what the plan claims: memory, and the stock against the optimized builds.

usage: pyinfra inventory/<workspace>.py tasks/measure.py -y      (--dry: say what would be measured)

--data choose=zram.algorithm tries the compressors of zram on the workspace, and proposes one.

Run it before the first deploy.py, which gives the baseline, and after deploy.py at any time. It
changes only the history of measurements on the workspace.
"""

from pyinfra import host

from tasks.run.operations import look
from tasks.run.stages import workspace
from tasks.steps import choose, felt, read, sample

look(
    workspace(host),
    sample.options,  # MEASURE_... of the environment, checked
    read.snapshot,  # all that is on the workspace, in one remote command
    read.plan,  # which settings are in force there, and so which claims
    choose.measured,  # --data choose=: measure its alternatives, and end here
    sample.memory,  # in one remote command, with the history of earlier runs
    felt.measured,  # times and CPU use that a person feels, in one remote command
    sample.benchmarks,  # one remote command for each pair of builds
    sample.compare,  # memory before the first run and after it
    sample.keep,  # write the history, in one remote command
    sample.end,
)
