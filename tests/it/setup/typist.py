"""Types answers at a terminal of its own: usage: typist.py ANSWERS PROGRAM [ARGUMENTS]

ANSWERS is JSON, a list of [question, answer, whether it is a secret]. A secret is typed once the
terminal shows nothing of what is typed. What the terminal has shown is printed.
"""

import json
import os
import pty
import sys
import termios
import time

process, terminal = pty.fork()
if process == 0:
    os.execv(sys.argv[2], sys.argv[2:])

shown = b""


def read():
    global shown
    try:
        more = os.read(terminal, 4096)
    except OSError:
        more = b""
    shown += more
    return more


place = 0
for question, answer, is_secret in json.loads(sys.argv[1]):
    while (found := shown.find(question.encode(), place)) < 0:
        if not read():
            break
    place = found + len(question)
    while is_secret and termios.tcgetattr(terminal)[3] & termios.ECHO:
        time.sleep(0.005)
    os.write(terminal, answer.encode() + b"\n")
while read():
    pass
_, status = os.waitpid(process, 0)
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(status))
