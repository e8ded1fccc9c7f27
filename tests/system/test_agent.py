"""What an agent does when its own machine fails it: jobs that misbehave, a full disk, a Podman that goes away, a cloned edge."""
import os
import signal
import stat
import time

import pytest

from tests.lab import charts, tools
from tests.system.test_deploy import containers, gone, one_web

# What a job does the first time; the second time it is the real one.
FIRST_TIME = {
    'it is killed': 'kill -9 $$',
    'it ends with an error': 'echo "something is wrong" >&2; exit 3',
    'it says nothing': 'exit 0',
    'it answers nonsense': 'echo "{\\"ok\\":"',
    'it answers without end': 'exec yes',
    'it does not read its request': 'exec <&-; echo "{}"',
}


@pytest.fixture(scope='module')
def web(kedge):
    """A package with the chart `web`, and one edge with an agent."""
    values = charts.web_values(kedge.lab.site.page_image())
    kedge.import_any('web', '1.0.0', {'web': charts.App('web', '0.1.0', values, version='1.0.0')})
    return kedge


def deploy(web, name, *more):
    web.kedge.text('deploy', 'web:1.0.0', '--name', name, '--cluster', 'edge-1', *more)


def kill_container(web, edge, name):
    """Kills the one container of a deployment; returns what to wait for: that it runs again."""
    def running():
        row, = containers(edge, name)
        return row['State'] == 'running' and row['Pid'] > 0 and row
    old = web.wait_for(running, f'the container of {name}')
    edge.command('kill', '-9', old['Pid'])

    def again():
        row = running()
        return row and row['Pid'] != old['Pid']
    return lambda: web.wait_for(again, f'the container of {name} again')


def job_program(web, text):
    """A program in place of kedge-agent-job; `@` in the text is the real one, with its arguments."""
    path = web.agents['edge-1'].dir / 'job'
    path.write_text('#!/bin/sh\n' + text.replace('@', f'{tools.program("kedge-agent-job")} "$@"') + '\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def with_job(web):
    """Restarts the agent with another program for its jobs."""
    agent = web.agents['edge-1']

    def use(text):
        agent.stop()
        agent.settings['job.path'] = job_program(web, text)
        agent.start()
        web.until_clusters({'edge-1': 'online'})
        return agent
    yield use
    if agent.process.alive():
        agent.stop()
    del agent.settings['job.path']
    agent.start()
    web.until_clusters({'edge-1': 'online'})


@pytest.mark.parametrize('how', FIRST_TIME)
def test_a_job_that_fails_is_tried_again(web, with_job, how):
    edge = web.edges[0]
    mark = web.agents['edge-1'].dir / 'failed'
    mark.unlink(missing_ok=True)
    failing = f'grep -q \'"kind":"prepare"\' <<END && [ ! -e {mark} ] && {{ touch {mark}; {FIRST_TIME[how]}; }}\n$request\nEND'
    agent = with_job(f'request=$(cat)\n{failing}\nprintf "%s" "$request" | exec @')
    deploy(web, 'again')
    one_web(web, edge, 'again', 'page v1\n')
    web.until_state('again', running=1)
    assert mark.exists() and 'job.failed kind=prepare' in agent.log()
    gone(web, 'again')


STUBBORN = 'trap "" TERM\nsetsid sleep 987654 &\nsleep 987654 &\nwait; wait; sleep 987654'


def count(edge, program):
    """Processes of that name on the edge."""
    return int(edge.command('pgrep', '-cx', program, check=False).stdout)


def test_an_agent_ends_within_a_second_whatever_its_jobs_do(web, with_job):
    edge = web.edges[0]
    agent = with_job(STUBBORN)
    tools.wait_for(lambda: count(edge, 'sleep') == 2, 'a job that runs')
    begin = time.monotonic()
    assert agent.stop() == 0
    assert time.monotonic() - begin < 1.5  # a second, on a computer that has other things to do
    assert count(edge, 'sleep') == 0


def test_no_job_outlives_an_agent_that_is_killed(web):
    """The job hangs at a registry that accepts connections and says nothing."""
    edge, agent = web.edges[0], web.agents['edge-1']
    silent = edge.start('silent', ['python3', '-c', 'import socket, time\n'
                                   's = socket.create_server(("127.0.0.1", 5999))\ntime.sleep(9999)'])
    sections = agent.sections
    try:
        agent.stop()
        (host, rows), = sections
        agent.sections = [(host, {**rows, 'mirror': '127.0.0.1:5999'}), ('registry 127.0.0.1:5999', {'plain_http': 'yes'})]
        agent.start()
        web.until_clusters({'edge-1': 'online'})
        deploy(web, 'hung')
        tools.wait_for(lambda: count(edge, 'kedge-agent-job') >= 2, 'a job that hangs')
        agent.kill()
        tools.wait_for(lambda: count(edge, 'kedge-agent-job') == 0, 'the end of the job')
    finally:
        agent.sections = sections
        if agent.process.alive():
            agent.kill()
        agent.start()
        silent.kill()
        silent.wait()
    web.until_clusters({'edge-1': 'online'})
    one_web(web, edge, 'hung', 'page v1\n')
    gone(web, 'hung')


def test_a_full_disk_stops_only_what_is_new(web):
    edge, agent = web.edges[0], web.agents['edge-1']
    deploy(web, 'old')
    one_web(web, edge, 'old', 'page v1\n')
    web.until_state('old', running=1)
    agent.stop()
    store = agent.state / 'store'
    edge.command('sh', '-c',
                 f'cp -a {store} {store}.kept && mount -t tmpfs -o size=2m none {store} && cp -a {store}.kept/. {store}')
    try:
        agent.start()
        web.until_clusters({'edge-1': 'online'})
        edge.command('sh', '-c', f'cat /dev/zero > {store}/fill || true')
        values = web.lab.site.dir / 'large.yaml'
        values.write_text(f'filler: "{os.urandom(100000).hex()}"\n')
        deploy(web, 'new', '--values', f'web={values}')
        web.wait_for(lambda: 'store.failed' in agent.log(), 'a log line about the disk')
        web.wait_for(lambda: 'disk' in web.kedge.text('describe', 'deployment', 'new'), 'the reason in the status')
        kill_container(web, edge, 'old')()
        assert not containers(edge, 'new')
        agent.restart(signal.SIGTERM)  # ready, with the disk as full as it was
        web.until_clusters({'edge-1': 'online'})
        web.wait_for(lambda: agent.log().count('store.failed') >= 2, 'the log line again')
        edge.command('rm', f'{store}/fill')
        one_web(web, edge, 'new', 'page v1\n')
        web.until_state('new', running=1)
        assert 'store.works' in agent.log()
        gone(web, 'new', 'old')
        agent.stop()
    finally:
        if agent.process.alive():
            agent.kill()
        edge.command('sh', '-c', f'rm -f {store}/fill; cp -a {store}/. {store}.kept; umount {store}; cp -a {store}.kept/. {store}; '
                     f'rm -rf {store}.kept')
        agent.start()
    web.until_clusters({'edge-1': 'online'})


def test_what_happens_while_podman_is_away_is_found_when_it_returns(web):
    edge, agent = web.edges[0], web.agents['edge-1']
    deploy(web, 'kept')
    one_web(web, edge, 'kept', 'page v1\n')
    web.until_state('kept', running=1)
    row, = containers(edge, 'kept')
    assert row['Pid'] > 0
    edge.processes['podman'].kill()
    edge.processes['podman'].wait()
    web.wait_for(lambda: 'podman.away' in agent.log(), 'a log line about Podman')
    edge.command('kill', '-9', row['Pid'])
    edge.start_podman()
    edge.podman_ready()

    def again():
        new, = containers(edge, 'kept')
        return new['State'] == 'running' and new['Pid'] != row['Pid']
    web.wait_for(again, 'the container again')
    web.until_state('kept', running=1)
    gone(web, 'kept')


def test_a_cloned_edge_is_told_apart(web):
    """The same identity with another store: the cluster shows it, and keeps the agent that it knows."""
    first, clone = web.agents['edge-1'], web.agents['edge-2']
    clone.stop()
    own = {key: clone.settings[key] for key in ('cluster', 'state.directory')}
    clone.settings.update({'cluster': 'edge-1', 'state.directory': clone.dir / 'cloned'})
    clone.start()
    web.wait_for(lambda: web.kedge.json('get', 'cluster', 'edge-1')['status']['duplicate'], 'the duplicate in the status')
    clone.stop()
    clone.settings.update(own)
    clone.start()
    first.restart(signal.SIGTERM)
    web.until_clusters({'edge-1': 'online', 'edge-2': 'online'})
