"""Runs a command on a pseudo-terminal that outlives it, and looks at what state it leaves the terminal in.

argv[1] is JSON: {"argv": [...], "steps": [[expect, {"send": text} | {"signal": name} | {"resize": [columns, rows]}], ...]}
Prints JSON: {"screen": text, "exitCode": number, "sameModes": bool, "stepsLeft": [...]}
"""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time

job = json.loads(sys.argv[1])
outer, inner = pty.openpty()


def resize(columns, rows):
    fcntl.ioctl(outer, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def take_over():
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


resize(80, 24)
before = termios.tcgetattr(inner)
child = subprocess.Popen(job["argv"], stdin=inner, stdout=inner, stderr=inner, preexec_fn=take_over)
screen, seen = b"", 0
steps = list(job["steps"])
deadline = time.monotonic() + job.get("timeout", 20)
ended = False
while time.monotonic() < deadline:
    ready, _, _ = select.select([outer], [], [], 0.05)
    if ready:
        screen += os.read(outer, 65536)
    elif ended:
        break
    while steps and steps[0][0].encode() in screen[seen:]:
        expect, act = steps.pop(0)
        seen = screen.index(expect.encode(), seen) + len(expect.encode())
        if "send" in act:
            os.write(outer, act["send"].encode())
        if "signal" in act:
            child.send_signal(getattr(signal, act["signal"]))
        if "resize" in act:
            resize(*act["resize"])
    ended = child.poll() is not None
if child.poll() is None:
    child.kill()
print(json.dumps({
    "screen": screen.decode("utf-8", "replace"),
    "exitCode": child.wait(),
    "sameModes": termios.tcgetattr(inner) == before,
    "stepsLeft": steps,
}))
