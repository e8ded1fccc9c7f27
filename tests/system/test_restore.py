"""Backups of the coordinator: nothing that runs is removed by going back in time."""
import pytest

from tests.demo import story
from tests.lab import charts
from tests.system.test_deploy import containers, gone, one_web


@pytest.fixture(scope='module')
def web(kedge):
    values = charts.web_values(kedge.lab.site.page_image())
    for version, chart in (('1.0.0', '0.1.0'), ('1.1.0', '0.2.0')):
        kedge.import_any('web', version, {'web': charts.App('web', chart, values, version=version)})
    return kedge


def deploy(web, name, version='1.0.0'):
    web.kedge.text('deploy', f'web:{version}', '--name', name, '-l', story.LABEL)
    web.until_state(name)


def processes(web):
    return [sorted((row['Id'], row['Pid']) for row in edge.containers_now()) for edge in web.edges]


def orphans(web):
    return {(item['cluster'], item['deployment']) for item in web.kedge.json('get', 'orphans')['items']}


def test_restore_removes_nothing_and_holds(web):
    backup = web.coordinator.dir / 'backup'
    deploy(web, 'kept')
    deploy(web, 'deleted')
    web.coordinator.command('backup', backup)  # while it runs
    web.kedge.text('upgrade', 'kept', '1.1.0')
    for edge in web.edges:
        one_web(web, edge, 'kept', 'page v2\n')
    gone(web, 'deleted')
    deploy(web, 'newer')
    before = processes(web)

    web.coordinator.stop()
    web.coordinator.command('restore', backup)
    web.coordinator.start()
    web.until_clusters({edge.name: 'online' for edge in web.edges})
    web.wait_for(lambda: orphans(web) == {(edge.name, 'newer') for edge in web.edges}, 'the newer deployment as orphans')
    now = processes(web)  # `deleted` is wanted again and may have come back; what ran runs as it did
    assert all(set(old) <= set(new) for old, new in zip(before, now))
    for edge in web.edges:
        one_web(web, edge, 'kept', 'page v2\n')

    web.kedge.text('resume', 'kept')
    for edge in web.edges:
        one_web(web, edge, 'kept', 'page v1\n')
    web.until_state('kept')
    for edge in web.edges:
        assert len(containers(edge, 'newer')) == 1
        web.kedge.text('prune', edge.name, 'newer')
    web.wait_for(lambda: not any(containers(edge, 'newer') for edge in web.edges), 'the end of what was pruned')
    web.kedge.text('resume', 'deleted')
    gone(web, 'kept', 'deleted')


def test_a_store_that_is_behind_its_agents_waits_for_a_new_epoch(web):
    """The store's files are put back without the coordinator's knowledge: it must notice, and send nothing."""
    deploy(web, 'first')
    web.coordinator.stop()
    saved = {path: path.read_bytes() for path in web.coordinator.state.rglob('*') if path.is_file()}
    web.coordinator.start()
    deploy(web, 'second')
    before = processes(web)
    web.coordinator.stop()
    for path, data in saved.items():
        path.write_bytes(data)
    web.lab.site.broker.restart(forget=True)
    web.coordinator.start()

    def ahead():
        return all(item['status']['ahead'] for item in web.kedge.json('get', 'clusters')['items'])
    web.wait_for(ahead, 'clusters that are ahead')
    assert processes(web) == before
    web.coordinator.stop()
    web.coordinator.command('new-epoch')
    web.coordinator.start()
    web.wait_for(lambda: not any(item['status']['ahead'] for item in web.kedge.json('get', 'clusters')['items']), 'the new epoch')
    web.wait_for(lambda: orphans(web) == {(edge.name, 'second') for edge in web.edges}, 'the second deployment as orphans')
    assert processes(web) == before
    web.kedge.text('resume', 'first')
    for edge in web.edges:
        web.kedge.text('prune', edge.name, 'second')
    web.wait_for(lambda: orphans(web) == set(), 'no orphans')
    gone(web, 'first')
