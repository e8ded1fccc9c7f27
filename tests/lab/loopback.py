"""A docker-registry on the loopback, for tests that need no machines."""
import contextlib
import hashlib
import http.client
import os
import socket
import subprocess

from . import site, tools


def free_port():
    with socket.socket() as one:
        one.bind(('127.0.0.1', 0))
        return one.getsockname()[1]


def digest_of(data):
    return 'sha256:' + hashlib.sha256(data).hexdigest()


class Registry:
    """`user`: (name, password) that everybody must have."""

    def __init__(self, folder, user=None):
        folder.mkdir()
        self.port, self.log = free_port(), folder / 'log'
        self.host = f'127.0.0.1:{self.port}'
        text = (f'version: 0.1\nlog: {{level: error}}\nstorage:\n  filesystem: {{rootdirectory: {folder}/data}}\n'
                f'http:\n  addr: {self.host}\n  secret: laboratory\n')
        if user:
            (folder / 'htpasswd').write_text(f'{user[0]}:{site.bcrypt(user[1])}\n')
            text += f'auth:\n  htpasswd: {{realm: laboratory, path: {folder}/htpasswd}}\n'
        config = folder / 'config.yml'
        config.write_text(text)
        with open(self.log, 'wb') as log:
            self.child = subprocess.Popen(['docker-registry', 'serve', config], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          env={**os.environ, 'OTEL_TRACES_EXPORTER': 'none'})
        tools.wait_for(lambda: self.ask('GET', '/v2/')[0] in (200, 401), 'the registry', logs=[self.log])

    def ask(self, method, path, headers=None, body=None):
        with contextlib.closing(http.client.HTTPConnection(self.host, timeout=tools.LIMIT_S)) as connection:
            connection.request(method, path, body=body, headers=headers or {})
            reply = connection.getresponse()
            return reply.status, dict(reply.getheaders()), reply.read()

    def stop(self):
        self.child.kill()
        self.child.wait()
