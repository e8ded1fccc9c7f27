"""Waiting, HTTP into a network namespace, and running commands."""
import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import time
import urllib.parse

from . import kernel, space

LIMIT_S = 60  # generous: a test that waits this long has failed


class Failure(Exception):
    """Something of the laboratory did not do what it should; the text says what, and shows the end of the logs."""


class Dead(Failure):
    """What is waited for can never come."""


def build():
    return pathlib.Path(os.environ.get('KEDGE_BUILD') or space.ROOT / 'build' / 'release').resolve()


def program(name):
    """Where one of our programs is: the run's own copy if it has one."""
    run = space.Run.current()
    copy = run.dir / 'bin' / name if run else None
    if copy and copy.exists():
        return copy
    path = build() / name
    if not path.exists():
        raise Failure(f'{path} is not there: run `make` first')
    return path


def helm():
    cache = pathlib.Path(os.environ.get('XDG_CACHE_HOME') or pathlib.Path.home() / '.cache', 'kedge', 'helm-4.1.4', 'helm')
    found = shutil.which('helm') or (str(cache) if cache.exists() else None)
    if found is None:
        raise Failure('helm is not there: run `make deps` first')
    return found


def tail(path, lines=15):
    try:
        text = pathlib.Path(path).read_text(errors='replace').splitlines()
    except OSError:
        return ''
    return ''.join(f'    {line}\n' for line in text[-lines:])


def with_logs(text, logs):
    shown = ''.join(f'\n  end of {path}:\n{tail(path)}' for path in logs if tail(path))
    return text + shown


def wait_for(predicate, what, limit_s=LIMIT_S, every_s=0.02, logs=()):
    """Returns the predicate's first true value. What it raises counts as "not yet", and is told at the limit."""
    until, last = time.monotonic() + limit_s, None
    while True:
        try:
            value = predicate()
            if value:
                return value
            last = value
        except Dead:
            raise
        except Exception as error:  # anything: servers that are not up yet fail in many ways
            last = error
        if time.monotonic() > until:
            raise Failure(with_logs(f'waited {limit_s} s for {what}; last: {last!r}', logs))
        time.sleep(every_s)


def command(argv, *, check=True, limit_s=LIMIT_S, **options):
    """Runs a command, returns its CompletedProcess with text; a failure shows what it said."""
    options.setdefault('stdin', subprocess.DEVNULL if 'input' not in options else None)
    if 'input' in options:
        options.pop('stdin')
    done = subprocess.run([str(word) for word in argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          errors='replace', timeout=limit_s, **options)
    if check and done.returncode != 0:
        raise Failure(f'{" ".join(str(word) for word in argv)}: ended with {done.returncode}\n{done.stdout}{done.stderr}')
    return done


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode(errors='replace')

    def json(self):
        return json.loads(self.body)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=LIMIT_S):
        super().__init__('localhost', timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


def exchange(connection, method, path, body=None, headers=None):
    with contextlib.closing(connection):
        connection.request(method, path, body=body, headers=headers or {})
        reply = connection.getresponse()
        return Reply(reply.status, dict(reply.getheaders()), reply.read())


def http_request(network, method, url, body=None, headers=None, timeout=10, ca_file=None):
    """One HTTP request, made inside the network namespace at that path."""
    parts = urllib.parse.urlsplit(url)
    target = parts.path or '/'
    if parts.query:
        target += '?' + parts.query
    if parts.scheme == 'https':
        trust = ssl.create_default_context(cafile=ca_file)
        connection = http.client.HTTPSConnection(parts.hostname, parts.port or 443, timeout=timeout, context=trust)
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=timeout)
    with kernel.network_of(network):
        return exchange(connection, method, target, body, headers)


def together(works):
    """Runs them at once; the first failure is raised after all have ended."""
    with concurrent.futures.ThreadPoolExecutor(max(1, len(works))) as pool:
        waiting = [pool.submit(work) for work in works]
    return [one.result() for one in waiting]
