"""Runs a program that must not outlive whoever started it.

usage: guard.py SWEEP PROGRAM [ARGUMENT ...]

Standard input is the lifeline. A line on it names a signal to pass on (TERM, KILL); its end, which
the kernel brings about however the starter dies, kills the program with its own children and
removes the folder SWEEP (empty for none). Exits as the program did, with 128 + n if signal n ended
it.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading

sweep, *command = sys.argv[1:]
os.dup2(1, 2)
# A session of its own, so that Ctrl-C in a terminal reaches the starter alone, who ends things in
# order.
child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
abandoned = threading.Event()


def obey():
    for line in sys.stdin:
        child.send_signal(signal.Signals["SIG" + line.strip()])
    abandoned.set()
    if child.poll() is None:
        # With whatever it has started itself.
        os.killpg(child.pid, signal.SIGKILL)


threading.Thread(target=obey, daemon=True).start()
status = child.wait()
if sweep and abandoned.is_set():
    shutil.rmtree(sweep, ignore_errors=True)
# The other thread still reads; an orderly exit would wait for its lock.
os._exit(status if status >= 0 else 128 - status)
