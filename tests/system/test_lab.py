"""The laboratory itself: if these fail, no other system test says anything."""
import os
import pathlib
import signal
import subprocess
import sys

from tests.lab import charts, outside, space, tools

PAGE = 'page v1\n'


def _run_page(edge, lab, name):
    edge.command('podman', 'run', '-d', '--name', name, '-p', '8080:8080', f'{lab.site.page_image()}:v1')
    return tools.wait_for(lambda: edge.get(f'http://{edge.address}:8080/'), 'the page')


def test_edges_share_nothing(lab):
    one, other = lab.edges['edge-1'], lab.edges['edge-2']
    try:
        assert _run_page(one, lab, 'same-name') == PAGE
        assert _run_page(other, lab, 'same-name') == PAGE  # the same name and the same port, on another machine
        assert lab.site.get(f'http://{one.address}:8080/') == PAGE
        one.command('podman', 'rm', '-f', '-t', '0', 'same-name')
        assert one.containers_now() == []
        assert [name for row in other.containers_now() for name in row['Names']] == ['same-name']
        assert other.get(f'http://{other.address}:8080/') == PAGE
    finally:
        for edge in (one, other):
            edge.command('podman', 'rm', '-f', '-t', '0', 'same-name', check=False)


def test_nothing_leads_out(lab):
    for machine in (lab.site, *lab.edges.values()):
        assert machine.command('ip', 'route', 'show', 'default').stdout == ''
        links = machine.command('ip', '-o', 'link').stdout
        assert 'eth0@' in links or 'lab0' in links


def test_cut_link_and_restore(lab):
    edge = lab.edges['edge-1']
    try:
        assert _run_page(edge, lab, 'page') == PAGE
        edge.cut_link()
        assert edge.get(f'http://{edge.address}:8080/') == PAGE  # on the edge itself nothing has changed
        assert lab.site.command('ip', '-o', 'link', 'show', edge.link).stdout.count('state DOWN') == 1
        edge.restore_link()
        assert tools.wait_for(lambda: lab.site.get(f'http://{edge.address}:8080/'), 'the page over the link') == PAGE
    finally:
        edge.restore_link()
        edge.command('podman', 'rm', '-f', '-t', '0', 'page', check=False)


def test_reboot_is_one(lab):
    edge = lab.edges['edge-2']
    try:
        assert _run_page(edge, lab, 'page') == PAGE
        edge.reboot()
        assert [row['State'] for row in edge.containers_now()] == ['created']
        assert not list(pathlib.Path(edge.path('/run/libpod/exits')).glob('*'))
    finally:
        edge.command('podman', 'rm', '-f', '-t', '0', 'page', check=False)


def test_charts_are_in_the_registry(lab):
    chart = f'oci://{lab.site.registry.host}/charts/caller'
    shown = lab.site.charts().helm('show', 'chart', chart, '--version', '0.2.0', '--plain-http', prefix=lab.site.argv([]),
                                   cwd='/').stdout
    assert 'appVersion: v2' in shown
    values = charts.web_values('x')
    assert sorted(line.strip().split(':')[0] for line in values.splitlines()) == ['image', 'port', 'repository', 'service']


_WORK = """
import sys, time
sys.path.insert(0, {root!r})
from tests.lab import lab, space
def work():
    one = lab.Lab()
    one.begin(edges=1)
    one.publish()
    one.edges['edge-1'].command('podman', 'run', '-d', one.site.page_image() + ':v1')
    print(one.run.ident, flush=True)
    {then}
    one.close()
    return 0
sys.exit(space.run(work))
"""


def _start(then):
    child = subprocess.Popen([sys.executable, '-c', _WORK.format(root=str(space.ROOT), then=then)], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, text=True)
    return child


def test_a_run_leaves_nothing_when_it_ends():
    before = outside.seen()
    child = _start('pass')
    ident = child.communicate(timeout=tools.LIMIT_S)[0].strip()
    assert child.returncode == 0
    assert outside.seen() == before
    assert not (space.RUNS / ident).exists()


def test_a_killed_run_leaves_nothing_after_clean():
    before = outside.seen()
    child = _start('time.sleep(1000)')
    ident = child.stdout.readline().strip()
    tools.command([sys.executable, '-m', 'tests.lab', 'clean'], cwd=space.ROOT)
    assert child.poll() is None  # what is alive is not touched
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    tools.wait_for(lambda: len(outside.seen()['processes']) == len(before['processes']), 'the end of its processes')
    assert (space.RUNS / ident).exists()
    tools.command([sys.executable, '-m', 'tests.lab', 'clean'], cwd=space.ROOT)
    assert outside.seen() == before
    assert not (space.RUNS / ident).exists()


def test_runs_do_not_meet():
    children = [_start('pass') for _ in range(2)]
    idents = {child.communicate(timeout=tools.LIMIT_S)[0].strip() for child in children}
    assert [child.returncode for child in children] == [0, 0]
    assert len(idents) == 2
