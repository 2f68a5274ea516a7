"""Measure what the plan claims: memory, and the stock against the optimized builds.

usage: pyinfra inventory/<workspace>.py tasks/measure.py -y      (--dry: say what would be measured)

Run it once before the first deploy.py, so that there is a baseline, and after it whenever you like.
Nothing of the workspace changes but the history of its measurements.
"""

from pyinfra import host

from tasks.run import begin
from tasks.steps import read, sample

work = begin.workspace(host)
options = sample.options(work)  # MEASURE_... of the environment, checked

read.snapshot(work)  # all that is on the workspace, in one remote command
read.make(work)  # which settings are in force there, and so which claims
memory = sample.memory(work)  # in one remote command, with the history of earlier runs
records = sample.benchmarks(work, options, memory)  # one remote command for each pair of builds
sample.compare(work, memory, records)  # memory before the first run and after it
sample.keep(work, memory, records)  # the history, in one remote command
sample.end(work)
