"""An edge by itself: stopped containers, ended agents, cut links, power cuts, orphans."""
import shutil
import signal
import time

import pytest

from tests.demo import story
from tests.lab import charts, stock
from tests.system.test_deploy import containers, gone, one_web, page_of

KNOWN_WITHIN_S = 1.0  # a stopped container


@pytest.fixture(scope='module')
def web(kedge):
    """The chart `web` runs on both edges as deployment `web`."""
    values = charts.web_values(kedge.lab.site.page_image())
    for version, chart in (('1.0.0', '0.1.0'), ('1.1.0', '0.2.0')):
        kedge.import_any('web', version, {'web': charts.App('web', chart, values, version=version)})
    kedge.kedge.text('deploy', 'web:1.0.0', '--name', 'web', '-l', story.LABEL)
    kedge.until_state('web')
    return kedge


def the_one(web, edge):
    return one_web(web, edge, 'web', 'page v1\n')


def processes_of(edge):
    return [(row['Id'], row['Pid']) for row in edge.containers_now()]


def kill_container(edge, row):
    edge.command('kill', '-9', row['Pid'])


def started_again(web, edge, old):
    def running():
        row, = containers(edge, 'web')
        return row['State'] == 'running' and row['Pid'] != old['Pid'] and page_of(edge, row) == 'page v1\n'
    web.wait_for(running, f'the container of {edge.name} again')


def test_a_stopped_container_is_known_within_a_second_and_started_again(web):
    edge = web.edges[0]
    operator = stock.Operator(web.lab.site)
    operator.watch(f'{stock.TOP}/clusters/{edge.name}/status/web')
    best = None
    for _ in range(3):  # other programs use this computer too: the best of three counts
        old = the_one(web, edge)
        while not operator.seen.empty():
            operator.seen.get()
        begin = time.monotonic()
        kill_container(edge, old)
        states = []
        while not states or states[-1] == 'running':
            states.append(operator.next_seen()[1]['state'])
        seconds = time.monotonic() - begin
        best = seconds if best is None else min(best, seconds)
        assert states[-1] in ('down', 'degraded', 'updating', 'deploying')
        started_again(web, edge, old)
        web.until_state('web')
        if best < KNOWN_WITHIN_S:
            break
    operator.close()
    assert best < KNOWN_WITHIN_S


@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGTERM])
def test_an_agent_that_ends_and_starts_touches_nothing_that_is_right(web, number):
    edge = web.edges[0]
    the_one(web, edge)
    before = processes_of(edge)
    agent = web.agents[edge.name]
    agent.process.kill(number)
    agent.process.wait()
    assert processes_of(edge) == before
    agent.start()
    web.until_clusters({edge.name: 'online'})
    web.until_state('web')
    assert processes_of(edge) == before


def test_an_agent_without_a_broker_repairs_from_its_own_store(web):
    edge = web.edges[0]
    old = the_one(web, edge)
    agent = web.agents[edge.name]
    edge.cut_link()
    try:
        kill_container(edge, old)
        started_again(web, edge, old)
        old = containers(edge, 'web')[0]
        agent.kill()
        edge.command('podman', 'rm', '-f', '-t', '0', old['Id'])
        if old.get('Pod'):
            edge.command('podman', 'pod', 'rm', '-f', '-t', '0', old['Pod'])
        agent.start()
        the_one(web, edge)
    finally:
        edge.restore_link()
    web.until_clusters({edge.name: 'online'})
    web.until_state('web')


def test_after_a_power_cut_everything_comes_back_without_the_site(web):
    edge = web.edges[1]
    the_one(web, edge)
    edge.cut_link()
    try:
        edge.reboot()
        web.agents[edge.name].start()
        the_one(web, edge)
    finally:
        edge.restore_link()
    web.until_clusters({edge.name: 'online'})
    web.until_state('web')


def test_what_changed_while_the_link_was_cut_is_done_afterwards(web):
    first, second = web.edges
    first.cut_link()
    try:
        web.until_clusters({first.name: 'offline'})
        web.kedge.text('upgrade', 'web', '1.1.0')
        one_web(web, second, 'web', 'page v2\n')
        the_one(web, first)
    finally:
        first.restore_link()
    one_web(web, first, 'web', 'page v2\n')
    web.until_state('web')
    web.kedge.text('upgrade', 'web', '1.0.0')
    web.until_state('web')
    for edge in web.edges:
        the_one(web, edge)


def test_a_broker_that_forgot_everything_changes_nothing(web):
    before = [processes_of(edge) for edge in web.edges]
    web.lab.site.broker.restart(forget=True)
    web.until_clusters({edge.name: 'online' for edge in web.edges})
    web.kedge.text('deploy', 'web:1.0.0', '--name', 'other', '-l', story.LABEL)
    web.until_state('other')
    gone(web, 'other')
    assert [processes_of(edge) for edge in web.edges] == before


def test_an_agent_that_lost_its_store_takes_over_what_runs(web):
    """An edge that was installed anew: the same cluster, an empty store, and containers of which it knows nothing."""
    edge = web.edges[1]
    the_one(web, edge)
    before = processes_of(edge)
    agent = web.agents[edge.name]
    agent.stop()
    shutil.rmtree(agent.state)
    web.until_clusters({edge.name: 'offline'})
    agent.start()
    web.until_clusters({edge.name: 'online'})
    web.until_state('web')
    assert processes_of(edge) == before
    the_one(web, edge)


def orphans(web):
    return {(item['cluster'], item['deployment']) for item in web.kedge.json('get', 'orphans')['items']}


def empty_the_coordinator(web):
    """A new coordinator that knows the clusters and nothing else: what runs becomes orphans, and goes on."""
    before = [processes_of(edge) for edge in web.edges]
    web.coordinator.kill()
    for path in sorted(web.coordinator.state.rglob('*'), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    web.coordinator.start()
    web.apply_clusters()
    for edge in web.edges:
        web.kedge.run('adopt', edge.name, check=False)
    return before


def test_orphans_go_on_are_told_and_are_pruned_or_adopted(web):
    first, second = web.edges
    before = empty_the_coordinator(web)
    web.wait_for(lambda: orphans(web) == {(first.name, 'web'), (second.name, 'web')}, 'two orphans')
    assert [processes_of(edge) for edge in web.edges] == before

    web.kedge.text('prune', first.name, 'web')
    web.wait_for(lambda: not first.containers_now(), 'the end of the pruned orphan')
    web.wait_for(lambda: orphans(web) == {(second.name, 'web')}, 'one orphan')
    assert processes_of(second) == before[1]

    values = charts.web_values(web.lab.site.page_image())
    web.import_any('web', '1.0.0', {'web': charts.App('web', '0.1.0', values, version='1.0.0')})
    web.kedge.text('deploy', 'web:1.0.0', '--name', 'web', '-l', story.LABEL)
    web.wait_for(lambda: 'orphan' in web.kedge.text('status', 'web'), 'a status that names the orphan')
    assert processes_of(second) == before[1]
    web.kedge.text('deploy', 'web:1.0.0', '--name', 'web', '-l', story.LABEL, '--adopt')
    web.until_state('web')
    assert orphans(web) == set()
    the_one(web, first)
    the_one(web, second)


def test_a_cluster_that_is_sent_away_removes_everything(web):
    second = web.edges[1]
    web.kedge.text('leave', second.name)
    web.wait_for(lambda: not second.containers_now(), 'the end of all containers')
    web.until_clusters({second.name: 'left'})
    the_one(web, web.edges[0])
