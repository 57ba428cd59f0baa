"""Runs a program in a terminal of its own.

Reads one command in JSON a line from its standard input, and answers each by one line:

{"run": [..], "env": {..}}   runs the program, in a terminal of 24 lines and 80 columns
{"send": ".."}               types
{"wait": "..", "after": n}   waits until the text is on the screen, behind the first n characters of what was shown;
                             gives where it ends
{"resize": [lines, columns]}
{"signal": n}                sends the program a signal
{"modes": true}              the settings of the terminal
{"shown": n}                 what was shown behind the first n characters
{"end": true}                waits until the program ends, and gives its status
"""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

PATIENCE = 30  # seconds
STYLES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\r|\x1b[=>]")


class Terminal:
    def __init__(self):
        self.host, self.guest = pty.openpty()
        self.raw = b""

    def resize(self, size):
        fcntl.ioctl(self.guest, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))

    def run(self, arguments, env):
        def own():
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            for each in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
                signal.signal(each, signal.SIG_DFL)  # also where the tests run under nohup

        guest = self.guest
        self.program = subprocess.Popen(
            arguments, stdin=guest, stdout=guest, stderr=guest, start_new_session=True, preexec_fn=own,
            env={**os.environ, **env},
        )

    def read(self, seconds):
        ready, _, _ = select.select([self.host], [], [], seconds)
        if ready:
            self.raw += os.read(self.host, 65536)
        return bool(ready)

    def shown(self):
        return STYLES.sub("", self.raw.decode(errors="ignore"))

    def send(self, text):
        rest = text.encode()
        while rest:  # a terminal takes some kilobytes at a time
            ready, free, _ = select.select([self.host], [self.host], [], PATIENCE)
            if ready:
                self.raw += os.read(self.host, 65536)
            if free:
                rest = rest[os.write(self.host, rest[:512]):]

    def wait(self, text, after):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            at = self.shown().find(text, after)
            if at >= 0:
                return {"at": at + len(text)}
            self.read(0.1)
        return {"error": f"{text!r} does not come", "shown": self.shown()[after:]}

    def end(self):
        end = time.monotonic() + PATIENCE
        while self.program.poll() is None:
            if time.monotonic() > end:
                self.program.kill()
                return {"error": "it does not end", "shown": self.shown()}
            self.read(0.05)
        while self.read(0):
            pass
        return {"status": self.program.returncode}

    def modes(self):
        modes = termios.tcgetattr(self.guest)
        # Enter is passed on as it is, because the line editor takes a line feed for another key.
        quiet = not modes[3] & (termios.ECHO | termios.ICANON) and not modes[0] & termios.ICRNL
        return {"modes": repr(modes), "quiet": quiet}

    def do(self, command):
        if "run" in command:
            self.resize([24, 80])
            self.run(command["run"], command["env"])
        elif "send" in command:
            self.send(command["send"])
        elif "wait" in command:
            return self.wait(command["wait"], command["after"])
        elif "resize" in command:
            self.resize(command["resize"])
        elif "signal" in command:
            self.program.send_signal(command["signal"])
        elif "modes" in command:
            return self.modes()
        elif "shown" in command:
            while self.read(0):
                pass
            return {"text": self.shown()[command["shown"]:]}
        elif "end" in command:
            return self.end()
        return {}


terminal = Terminal()
for line in sys.stdin:
    print(json.dumps(terminal.do(json.loads(line))), flush=True)
