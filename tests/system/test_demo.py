"""The demo as a new user runs it, and what is left of it after the worst."""
import json
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import time

import pytest

from tests.lab import outside, space, tools

DEMO = 'tests/demo/demo'
DEMO_LIMIT_S = 300  # far above the 60 s that it may take on an idle machine: others may use this one


def _demo(folder=space.ROOT, wrap=(), **options):
    environment = {**os.environ, 'KEDGE_BUILD': str(tools.build()), **options.pop('env', {})}
    return subprocess.Popen([*wrap, folder / DEMO], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, env=environment, **options)


def test_without_a_terminal_it_ends_with_0_and_leaves_nothing():
    before = outside.seen()
    demo = _demo()
    text = demo.communicate(timeout=DEMO_LIMIT_S)[0]
    print(text)
    assert demo.returncode == 0, text
    assert '\033' not in text
    for seen in ('page v1', 'page v2', 'running (1 offline)', 's  in all'):
        assert seen in text
    assert outside.seen() == before


def test_a_failed_step_ends_with_1_and_its_reason(tmp_path):
    """An empty folder instead of the built programs: the first step that needs one cannot be taken."""
    demo = _demo(env={'KEDGE_BUILD': str(tmp_path)})
    text = demo.communicate(timeout=DEMO_LIMIT_S)[0]
    assert demo.returncode == 1
    assert 'kedge-coordinator is not there' in text


def test_two_at_once_do_not_meet():
    demos = [_demo() for _ in range(2)]
    for demo in demos:
        text = demo.communicate(timeout=DEMO_LIMIT_S)[0]
        assert demo.returncode == 0, text


class Terminal:
    """The demo in a terminal of its own."""

    def __init__(self):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update({'KEDGE_BUILD': str(tools.build()), 'TERM': 'xterm'})
            os.execv(space.ROOT / DEMO, [DEMO])
        self.text = ''

    def read_until(self, pattern):
        until = time.monotonic() + DEMO_LIMIT_S
        while not re.search(pattern, self.text):
            assert time.monotonic() < until, self.text
            self.read()

    def read(self):
        try:
            data = os.read(self.fd, 4096)
        except OSError:  # the other end is closed
            data = b''
        assert data, f'the demo has ended: {self.text}'
        self.text += data.decode(errors='replace')

    def end(self):
        with pytest.raises(AssertionError, match='has ended'):
            while True:
                self.read()
        pid, self.pid = self.pid, None
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def kill(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


@pytest.fixture
def terminal():
    one = Terminal()
    yield one
    one.kill()


def test_in_a_terminal_it_stays_up_and_its_commands_work(terminal):
    terminal.read_until(r'podman ps\r?\n')
    commands = [shlex.split(line) for line in re.findall(r'^  (build/lab/\S+ .*?)\r?$', terminal.text, re.M)]
    assert len(commands) == 3
    deploy, status, podman = commands
    assert 'created' in tools.command(deploy, cwd=space.ROOT).stdout
    tools.wait_for(lambda: 'kedge_default_shop' in tools.command(podman, cwd=space.ROOT).stdout, 'a container')
    watch = subprocess.Popen(status, cwd=space.ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    for line in watch.stdout:
        if re.search(r'shop .* running ', line):
            break
    os.kill(watch.pid, signal.SIGTERM)  # ends nsenter; what it started ends with the run
    os.write(terminal.fd, b'\x03')
    assert terminal.end() == 0, terminal.text
    watch.communicate()
    assert '\033[' in terminal.text


@pytest.fixture
def checkout(tmp_path):
    """A copy of the tree, so that `make clean` there takes nothing away here."""
    copy = tmp_path / 'kedge'
    listed = tools.command(['git', 'ls-files', '--cached', '--others', '--exclude-standard'], cwd=space.ROOT).stdout
    for name in listed.splitlines():
        source = space.ROOT / name
        if source.is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy / name)
    return copy


@pytest.mark.parametrize('victim', ['parent', 'keeper', 'middle', 'first'])
def test_killed_it_leaves_nothing_after_make_clean(checkout, victim):
    before = outside.seen()
    demo = _demo(checkout, wrap=['sh', '-c', '"$0"; exit $?'])  # a parent, as make is one
    text = ''
    for line in demo.stdout:  # until containers run
        text += line
        if 'ok   the page of version 1' in line:
            break
    else:
        pytest.fail(text)
    run, = (checkout / 'build' / 'lab').iterdir()
    pids = {'parent': demo.pid, 'first': int((run / 'first.pid').read_text()), **json.loads((run / 'keeper.json').read_text())}
    os.kill(pids[victim], signal.SIGKILL)
    demo.communicate(timeout=DEMO_LIMIT_S)
    tools.wait_for(lambda: outside.processes() == before['processes'], 'the end of all processes')
    hidden = ('MAKEFLAGS', 'MFLAGS', 'MAKELEVEL')
    tools.command(['make', 'clean'], cwd=checkout, env={key: value for key, value in os.environ.items() if key not in hidden})
    assert outside.seen() == before
    assert not (checkout / 'build').exists()
