"""The demo as a new user runs it, and what is left of it after the worst."""
import json
import os
import pathlib
import shutil
import signal
import subprocess

import pytest

from tests.lab import outside, space, tools

DEMO = space.ROOT / 'tests' / 'demo' / 'demo'
DEMO_LIMIT_S = 300  # far above the 60 s that it may take on an idle machine: others may use this one


@pytest.fixture(scope='module')
def checkout(tmp_path_factory):
    """A copy of the tree with what is built, so that `make clean` there takes nothing away here."""
    copy = tmp_path_factory.mktemp('checkout') / 'kedge'
    listed = tools.command(['git', 'ls-files', '--cached', '--others', '--exclude-standard'], cwd=space.ROOT).stdout
    for name in listed.splitlines():
        source = space.ROOT / name
        if source.is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy / name)
    shutil.copytree(tools.build(), copy / 'build' / tools.build().name, symlinks=True,
                    ignore=lambda _, names: [name for name in names if name in ('tests', 'results')])
    return copy


def _make(checkout, *targets, **options):
    words = ['make', '--no-print-directory', *targets]
    if tools.build().name == 'sanitize':
        words.append('SANITIZE=1')
    hidden = ('MAKEFLAGS', 'MFLAGS', 'MAKELEVEL', 'KEDGE_BUILD')
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    return subprocess.Popen(words, cwd=checkout, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, **options)


def test_without_a_terminal_it_ends_with_0_and_leaves_nothing():
    before = outside.seen()
    done = subprocess.run([DEMO], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=DEMO_LIMIT_S)
    print(done.stdout)
    assert done.returncode == 0, done.stdout
    assert '\033' not in done.stdout
    for seen in ('page v1', 'page v2', 'running (1 offline)', 's  in all'):
        assert seen in done.stdout
    assert outside.seen() == before


def test_a_failed_step_ends_with_1_and_its_reason(tmp_path):
    """An empty folder instead of the built programs: the first step that needs one cannot be taken."""
    done = subprocess.run([DEMO], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=DEMO_LIMIT_S, env={**os.environ, 'KEDGE_BUILD': str(tmp_path)})
    assert done.returncode == 1
    assert 'kedge-coordinator is not there' in done.stdout


def test_two_at_once_do_not_meet():
    demos = [subprocess.Popen([DEMO], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
             for _ in range(2)]
    for demo in demos:
        text = demo.communicate(timeout=DEMO_LIMIT_S)[0]
        assert demo.returncode == 0, text


@pytest.mark.parametrize('victim', ['make', 'keeper', 'middle', 'first'])
def test_killed_it_leaves_nothing_after_make_clean(checkout, victim):
    before = outside.seen()
    make = _make(checkout, 'demo')
    text = ''
    for line in make.stdout:  # until containers run
        text += line
        if 'ok   the page of version 1' in line:
            break
    else:
        pytest.fail(text)
    run, = (checkout / 'build' / 'lab').iterdir()
    pids = {'make': make.pid, 'first': int((run / 'first.pid').read_text()), **json.loads((run / 'keeper.json').read_text())}
    os.kill(pids[victim], signal.SIGKILL)
    make.communicate(timeout=DEMO_LIMIT_S)
    tools.wait_for(lambda: outside.processes() == before['processes'], 'the end of all processes')
    clean = _make(checkout, 'clean')
    assert clean.wait(tools.LIMIT_S) == 0, clean.stdout.read()
    clean.stdout.close()
    assert outside.seen() == before
    assert not pathlib.Path(checkout, 'build').exists()
    shutil.copytree(tools.build(), checkout / 'build' / tools.build().name, symlinks=True)
