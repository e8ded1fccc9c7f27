"""What a service manager is told: the socket of sd_notify, for one program."""
import contextlib
import os
import socket

from . import tools


class Notify:
    def __init__(self, machine, name):
        self.machine, self.name = machine, name
        self.there = f'/run/notify-{name}'  # as the program sees it
        self.heard = []
        self.socket = None

    def env(self):
        """Listens from now on; what the program needs in its environment."""
        self.close()
        here = self.machine.path(self.there)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(here)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind(str(here))
        self.heard = []
        return {'NOTIFY_SOCKET': self.there}

    def read(self):
        with contextlib.suppress(BlockingIOError):
            while self.socket:
                self.heard += self.socket.recv(4096).decode().splitlines()
        return self.heard

    def wait(self, word, process, limit_s=tools.LIMIT_S):
        """Until the program said it, e.g. READY=1."""
        def said():
            return word in self.read() or (process.must_live() and None)
        tools.wait_for(said, f'{word} of {process.name}', limit_s, every_s=0.002, logs=[process.log])

    def close(self):
        if self.socket:
            self.socket.close()
            self.socket = None
