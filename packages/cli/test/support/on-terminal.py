"""Runs a command on a pseudo-terminal: waits for each expected text, then types what follows it.

argv[1] is JSON: {"argv": [...], "columns": 80, "steps": [[expect, send, seconds to wait before sending], ...], "timeout": seconds, "pipeStdout": bool}
Prints JSON: {"screen": what the terminal got, "stdout": what the pipe got, "exitCode": number, "signal": number or null}
"""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

job = json.loads(sys.argv[1])
out_read, out_write = os.pipe()
pid, terminal = pty.fork()
if pid == 0:
    os.close(out_read)
    if job.get("pipeStdout"):
        os.dup2(out_write, 1)
    os.close(out_write)
    os.execvpe(job["argv"][0], job["argv"], os.environ)
os.close(out_write)
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, job.get("columns", 80), 0, 0))

screen, piped, seen = b"", b"", 0
steps = list(job["steps"])
deadline = time.monotonic() + job.get("timeout", 20)
open_fds = {terminal, out_read}
while open_fds and time.monotonic() < deadline:
    ready, _, _ = select.select(list(open_fds), [], [], 0.05)
    for fd in ready:
        try:
            data = os.read(fd, 65536)
        except OSError:
            data = b""
        if not data:
            open_fds.discard(fd)
        elif fd == terminal:
            screen += data
        else:
            piped += data
    while steps and steps[0][0].encode() in screen[seen:]:
        expect, send, *pause = steps.pop(0)
        seen = screen.index(expect.encode(), seen) + len(expect.encode())
        time.sleep(*pause or [0])
        os.write(terminal, send.encode())
    if terminal not in open_fds:
        break
if terminal in open_fds:
    os.kill(pid, signal.SIGKILL)
_, status = os.waitpid(pid, 0)
print(json.dumps({
    "screen": screen.decode("utf-8", "replace"),
    "stdout": piped.decode("utf-8", "replace"),
    "exitCode": os.WEXITSTATUS(status) if os.WIFEXITED(status) else -1,
    "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
    "stepsLeft": steps,
}))
