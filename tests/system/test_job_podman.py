"""One application's life through kedge-agent-job alone, on an edge with a real Podman and a chart fresh from `helm create`."""
import hashlib
import json

import pytest

from tests.lab import charts, daemons, tools

UID = 'fedcba9876543210' * 2
RELEASE = 'solo-web-0f0f0f0f'


class Jobs:
    def __init__(self, lab):
        self.lab, self.edge = lab, lab.edges['edge-1']
        self.dir = self.edge.dir / 'jobs'
        self.dir.mkdir()
        self.config = self.dir / 'agent.conf'
        site = lab.site
        rows = {'cluster': 'edge-1', 'broker.address': 'mqtt://nowhere', 'state.directory': self.dir / 'state',
                'run.directory': self.dir / 'run', 'helm.path': tools.helm()}
        self.config.write_text(daemons.settings_text(rows, [(f'registry {site.registry.host}', {'plain_http': 'yes'})]))
        self.values = charts.web_values(site.page_image())

    def app(self, version, values):
        reply = self.lab.site.registry.request('HEAD', f'/v2/charts/web/manifests/{version}',
                                               headers={'Accept': 'application/vnd.oci.image.manifest.v1+json'})
        key = hashlib.sha256(f'{version}\n{values}'.encode()).hexdigest()
        return {'deployment': 'solo', 'uid': UID, 'uids': [UID], 'name': 'web', 'namespace': 'default', 'release': RELEASE,
                'key': key, 'values': [{'yaml': values}],
                'chart': {'registry': self.lab.charts_url(), 'name': 'web', 'version': version,
                          'digest': reply.headers['Docker-Content-Digest']}}

    def run(self, kind, app, **more):
        request = {'kind': kind, 'project': 'default', 'deadline_ms': 60000, 'apps': [{**app, **more}]}
        done = self.edge.command(tools.program('kedge-agent-job'), '--config', self.config, input=json.dumps(request))
        return json.loads(done.stdout)

    def found(self, kind, app, **more):
        result = self.run(kind, app, **more)
        assert result['ok'], result
        row, = [row for row in result['found'] if row['uid'] == UID]  # observe also finds what other tests left on this edge
        return row

    def containers(self):
        return {row['Id']: row for row in self.edge.containers_now(**{'kedge.uid': UID})}


@pytest.fixture(scope='module')
def jobs(lab):
    one = Jobs(lab)
    yield one
    one.run('remove', one.app('0.1.0', one.values), name='')


def test_life(jobs):
    first, second = jobs.app('0.1.0', jobs.values), jobs.app('0.2.0', jobs.values)
    assert jobs.found('prepare', first)['key'] == first['key']
    assert not jobs.containers(), 'prepare changes nothing that runs'
    row = jobs.found('apply', first, run_hooks=True)
    assert (row['state'], row['ready'], row['total']) == ('running', 1, 1), row
    made = jobs.containers()
    assert len(made) == 1
    assert jobs.found('observe', first)['state'] == 'running'
    assert jobs.found('apply', first)['state'] == 'running'
    assert set(jobs.containers()) == set(made), 'nothing is restarted that is right'
    assert jobs.found('observe', second)['state'] == 'unknown', 'its rendering is not kept'
    assert jobs.found('prepare', second, upgrade=True)
    assert jobs.found('observe', second)['state'] == 'differs'
    assert jobs.found('apply', second, upgrade=True, run_hooks=True)['state'] == 'running'
    tools.wait_for(lambda: not set(jobs.containers()) & set(made), 'the end of the first version')
    stopped, = jobs.containers()
    jobs.edge.podman('POST', f'/libpod/containers/{stopped}/stop')
    assert jobs.found('observe', second)['state'] in ('down', 'differs')
    assert jobs.found('apply', second)['state'] == 'running'
    assert jobs.run('remove', second)['ok']
    tools.wait_for(lambda: not jobs.containers(), 'the end of its containers')
    assert jobs.found('observe', second)['state'] == 'gone'
    assert jobs.run('remove', second)['ok'], 'asked twice, it does nothing the second time'


def test_image_that_is_not_there(jobs):
    app = jobs.app('0.1.0', jobs.values.replace('image:\n', 'image:\n  tag: no-such-tag\n'))
    result = jobs.run('prepare', app)
    assert not result['ok'] and 'no-such-tag' in result['error']['message'], result
    assert not jobs.containers()
