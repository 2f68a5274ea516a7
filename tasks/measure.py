"""Measure what the plan claims: memory, and the stock against the optimized builds.

usage: pyinfra inventory/<workspace>.py tasks/measure.py -y      (--dry: say what would be measured)

--data choose=zram.algorithm tries the compressors of zram there, and proposes one.

Run it once before the first deploy.py, so that there is a baseline, and after it whenever you like.
Nothing of the workspace changes but the history of its measurements.
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
    choose.measured,  # --data choose=: the alternatives in alternation, and that is all
    sample.memory,  # in one remote command, with the history of earlier runs
    felt.measured,  # what a person waits for, in one remote command
    sample.benchmarks,  # one remote command for each pair of builds
    sample.compare,  # memory before the first run and after it
    sample.keep,  # the history, in one remote command
    sample.end,
)
