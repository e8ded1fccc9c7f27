"""Deploy, upgrade, delete: from a catalog document to a container and back."""
import pytest

from tests.demo import story
from tests.lab import charts, daemons, tools

WEB_CONFIG = """
volumes: [{name: settings, configMap: {name: settings}}]
volumeMounts: [{name: settings, mountPath: /www/settings}]
"""


@pytest.fixture(scope='module')
def catalog(kedge):
    """The demo's package, and one with the chart `web` alone."""
    kedge.import_shop()
    values = charts.web_values(kedge.lab.site.page_image())
    kedge.import_any('web', '1.0.0', {'web': charts.App('web', '0.1.0', values + WEB_CONFIG, version='1.0.0')})
    kedge.import_any('web', '1.1.0', {'web': charts.App('web', '0.2.0', values + WEB_CONFIG, version='1.1.0')})
    return kedge


def containers(edge, deployment):
    return [row for row in edge.containers_now() if row['Labels'].get('kedge.deployment') == deployment]


def page_of(edge, row, path='/'):
    """The page of a container by its address inside the edge."""
    state = edge.inspect(row['Id'])
    networks = state['NetworkSettings'].get('Networks') or {}
    if not any(one['IPAddress'] for one in networks.values()):  # in a pod the address is the infra container's
        pod = edge.podman('GET', f'/libpod/pods/{row["Pod"]}/json').json()
        networks = edge.inspect(pod['InfraContainerID'])['NetworkSettings']['Networks']
    address = next(one['IPAddress'] for one in networks.values() if one['IPAddress'])
    return edge.get(f'http://{address}:{charts.PORT}{path}')


def one_web(kedge, edge, deployment, want):
    def reached():
        row, = containers(edge, deployment)
        return row if row['Pid'] > 0 and page_of(edge, row) == want else None
    return kedge.wait_for(reached, f'{want!r} of {deployment} on {edge.name}')


def gone(kedge, *deployments):
    for name in deployments:
        kedge.kedge.text('delete', 'deployment', name)
    for name in deployments:
        kedge.until_gone(name)
    for edge in kedge.edges:
        kedge.wait_for(lambda edge=edge: not [row for name in deployments for row in containers(edge, name)],
                       f'the end of the containers of {deployments} on {edge.name}')


def test_by_labels_upgrade_delete(catalog):
    one = story.Story(catalog.lab)
    one.use(catalog)
    one.deploy()
    one.fetch('v1')
    one.upgrade()
    one.fetch('v2')
    one.uninstall()


def test_by_name_and_a_label_later(catalog):
    first, second = catalog.edges
    catalog.kedge.text('deploy', 'web:1.0.0', '--name', 'named', '--cluster', first.name)
    catalog.until_state('named', running=1)
    one_web(catalog, first, 'named', 'page v1\n')
    assert containers(second, 'named') == []
    gone(catalog, 'named')

    catalog.kedge.text('deploy', 'web:1.0.0', '--name', 'labelled', '-l', 'shelf=top')
    catalog.until_state('labelled', 'no-target-clusters')
    catalog.apply(f'specSchema: Cluster\nschemaVersion: "0.1"\nname: {second.name}\nlabels: {{chain: demo, shelf: top}}\n')
    catalog.until_state('labelled', running=1)
    one_web(catalog, second, 'labelled', 'page v1\n')
    catalog.apply(f'specSchema: Cluster\nschemaVersion: "0.1"\nname: {second.name}\nlabels: {{chain: demo}}\n')
    catalog.wait_for(lambda: not containers(second, 'labelled'), 'the removal from a cluster that lost its label')
    gone(catalog, 'labelled')


def test_two_deployments_of_one_chart_on_one_edge(catalog):
    edge = catalog.edges[0]
    for name, version in (('left', '1.0.0'), ('right', '1.1.0')):
        catalog.kedge.text('deploy', f'web:{version}', '--name', name, '--cluster', edge.name)
    left, right = one_web(catalog, edge, 'left', 'page v1\n'), one_web(catalog, edge, 'right', 'page v2\n')
    assert left['Id'] != right['Id']
    gone(catalog, 'left')
    assert [(row['Id'], row['Pid']) for row in containers(edge, 'right')] == [(right['Id'], right['Pid'])]
    assert page_of(edge, right) == 'page v2\n'
    gone(catalog, 'right')


def test_config_maps_of_one_name_do_not_meet(catalog):
    """Both charts have a ConfigMap `settings`, here with both applications in one namespace of one deployment."""
    edge = catalog.edges[0]
    values = charts.web_values(catalog.lab.site.page_image())
    catalog.import_any('both', '1.0.0', {'web': charts.App('web', '0.1.0', values + WEB_CONFIG, namespace='both'),
                                         'caller': charts.App('caller', '0.1.0', namespace='both')})
    catalog.kedge.text('deploy', 'both:1.0.0', '--name', 'both', '--cluster', edge.name, '--set', story.caller_target('both'))
    catalog.until_state('both', running=1)
    web, = [row for row in containers(edge, 'both') if row['Labels']['kedge.app'] == 'web']
    assert page_of(edge, web, '/settings/greeting') == 'web'
    catalog.wait_for(lambda: edge.get(f'http://{edge.address}:{charts.NODE_PORT}/') == 'caller got: page v1\n', 'the greeting')
    gone(catalog, 'both')


def test_a_registry_that_is_not_there_yet_is_waited_for(catalog):
    folder = catalog.lab.site.dir / 'packages' / 'later'
    folder.mkdir(parents=True, exist_ok=True)
    values = charts.web_values(catalog.lab.site.page_image())
    (folder / 'values.yaml').write_text(values)
    (folder / 'app.yaml').write_text(charts.application_yaml('late', '1.0.0', 'not-yet', 'web', '0.1.0', 'values.yaml'))
    (folder / 'package.yaml').write_text(charts.package_yaml('late', '1.0.0', {'late': '1.0.0'}, {'late': 'default'}))
    catalog.kedge.text('import', folder)
    catalog.kedge.text('deploy', 'late:1.0.0', '--name', 'late', '--cluster', catalog.edges[0].name)
    catalog.wait_for(lambda: 'not-yet' in catalog.deployment('late')['status']['waiting'], 'a reason that names the registry')
    catalog.apply(charts.registry_yaml('not-yet', catalog.lab.charts_url()))
    catalog.until_state('late', running=1)
    gone(catalog, 'late')


def test_an_unreachable_registry_stops_nothing_else(catalog):
    nowhere = f'oci://{catalog.lab.site.address}:5999/charts'
    catalog.apply(charts.registry_yaml('nowhere', nowhere))
    folder = catalog.lab.site.dir / 'packages' / 'nowhere'
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'values.yaml').write_text('{}\n')
    (folder / 'app.yaml').write_text(charts.application_yaml('lost', '1.0.0', 'nowhere', 'web', '0.1.0', 'values.yaml'))
    (folder / 'package.yaml').write_text(charts.package_yaml('lost', '1.0.0', {'lost': '1.0.0'}, {'lost': 'default'}))
    catalog.kedge.text('import', folder)
    catalog.kedge.text('deploy', 'lost:1.0.0', '--name', 'lost', '-l', story.LABEL)
    catalog.wait_for(lambda: catalog.deployment('lost')['status']['waiting'], 'a reason')
    catalog.kedge.text('deploy', 'web:1.0.0', '--name', 'beside', '-l', story.LABEL)
    catalog.until_state('beside')
    gone(catalog, 'lost', 'beside')


def test_a_bad_image_harms_only_itself(catalog):
    edge = catalog.edges[0]
    image = f'{catalog.lab.site.registry.host}/no/such'
    catalog.import_any('bad', '1.0.0', {'bad': charts.App('web', '0.1.0', charts.web_values(image))})
    catalog.kedge.text('deploy', 'bad:1.0.0', '--name', 'bad', '--cluster', edge.name)
    catalog.kedge.text('deploy', 'web:1.0.0', '--name', 'good', '--cluster', edge.name)
    catalog.until_state('good', running=1)

    def told():
        text = catalog.kedge.text('status', 'bad')
        return text if 'no/such' in text else None
    catalog.wait_for(told, 'a status that names the image')
    gone(catalog, 'bad', 'good')


def test_values_at_deploy_time(catalog):
    edge = catalog.edges[0]
    values = catalog.lab.site.dir / 'more.yaml'
    values.write_text('podLabels: {shelf: top}\n')
    catalog.kedge.text('deploy', 'web:1.0.0', '--name', 'tuned', '--cluster', edge.name, '--set', 'web.replicaCount=2',
                       '--values', f'web={values}')
    catalog.until_state('tuned', running=1)
    assert len(containers(edge, 'tuned')) == 2
    gone(catalog, 'tuned')


def test_refusals_say_what_to_do(catalog):
    for words, says in ((('deploy', 'nothing:1.0.0', '-l', 'a=b'), 'nothing'), (('upgrade', 'nobody', '1.0.0'), 'nobody'),
                        (('delete', 'deployment', 'nobody'), 'nobody')):
        with pytest.raises(daemons.CommandFailed) as refused:
            catalog.kedge.text(*words)
        assert refused.value.code == 1
        assert says in refused.value.stderr


def test_wait_ends_when_it_runs_and_with_4_at_its_limit(catalog):
    edge = catalog.edges[0]
    catalog.kedge.text('deploy', 'web:1.0.0', '--name', 'waited', '--cluster', edge.name, '--wait', '--timeout', '60s')
    assert catalog.deployment('waited')['status']['state'] == 'running'
    with pytest.raises(daemons.CommandFailed) as limit:
        catalog.kedge.text('deploy', 'web:1.0.0', '--name', 'never', '-l', 'no=where', '--wait', '--timeout', '1s')
    assert limit.value.code == 4
    gone(catalog, 'waited', 'never')


def test_the_edge_is_told_apart_by_labels_of_its_own(catalog):
    """Each container carries what docs/podman.md promises, so that a person finds it with podman alone."""
    edge = catalog.edges[0]
    catalog.kedge.text('deploy', 'web:1.0.0', '--name', 'seen', '--cluster', edge.name)
    catalog.until_state('seen', running=1)
    uid = catalog.deployment('seen')['uid']
    row, = edge.containers_now(**{'kedge.uid': uid})
    assert row['Labels']['kedge.app'] == 'web'
    assert all(word in row['Names'][0] for word in ('default', 'seen', 'web'))
    gone(catalog, 'seen')
    assert tools.command(edge.argv(['podman', 'volume', 'ls', '-q'])).stdout == ''
