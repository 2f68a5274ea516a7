from pyinfra import host

from tasks.run.operations import look
from tasks.run.stages import addressed
from tasks.steps import machine

look(addressed(host), machine.answer)  # one remote command; nothing to execute or to confirm
