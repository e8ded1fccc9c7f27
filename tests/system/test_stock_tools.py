"""docs/protocol.md is enough: stock tools do what `kedge` does."""
import base64
import io
import json
import secrets
import shlex
import tarfile
import time

import pytest

from tests.demo import story
from tests.lab import charts, space, stock, tools

UPLOAD_PART = 128 * 1024


def archive(folder):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode='w:gz') as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, path.name)
    return data.getvalue()


def upload(operator, data, part_size=UPLOAD_PART, order=lambda parts: parts):
    name = secrets.token_hex(8)
    parts = [data[at:at + part_size] for at in range(0, len(data), part_size)]
    reply = None
    for number in order(list(range(1, len(parts) + 1))):
        reply = operator.change('upload', 'put', upload=name, part=number, of=len(parts),
                                data=base64.b64encode(parts[number - 1]).decode())
    return name, reply


def test_paho_deploys_and_watches(kedge, operator):
    for edge in kedge.edges:  # a cluster may exist: the installation applied it
        assert operator.ask('cluster', 'get', name=edge.name)['status']['state'] == 'online'
    name, reply = upload(operator, archive(kedge.lab.site.dir / 'package'), part_size=700, order=lambda parts: parts[::-1])
    assert reply['complete'] and reply['missing'] == []
    imported = operator.change('package', 'import', upload=name)['imported']
    assert {(row['kind'], row['name']) for row in imported} >= {('registry', 'lab'), ('application', 'web'), ('package', 'shop')}

    operator.watch(f'{stock.TOP}/state/deployment/paho')
    made = operator.change('deployment', 'create', name='paho', package={'name': 'shop', 'version': '1.0.0'},
                           targets=[{'labels': {'chain': 'demo'}}],
                           overrides=[{'app': 'caller', 'values': {'target': caller_target('paho')}}])
    assert made['uid'] and made['resourceVersion'] >= 1
    seen, order = [], (0, 0)
    until = time.monotonic() + tools.LIMIT_S
    while (not seen or seen[-1]['status']['state'] != 'running') and time.monotonic() < until:
        _, view = operator.next_seen()
        assert (view['order']['epoch'], view['order']['n']) >= order
        order = (view['order']['epoch'], view['order']['n'])
        seen.append(view)
    assert seen[-1]['status']['summary']['running'] == 2
    for edge in kedge.edges:
        url = f'http://{edge.address}:{charts.NODE_PORT}/'
        kedge.wait_for(lambda edge=edge, url=url: edge.get(url) == 'caller got: page v1\n', 'the page')
    rows = operator.ask('deployment', 'clusters', name='paho')['items']
    assert sorted(row['cluster'] for row in rows) == ['edge-1', 'edge-2']
    assert {app['state'] for row in rows for app in row['apps']} == {'running'}
    operator.change('deployment', 'delete', name='paho')
    kedge.wait_for(lambda: not any(edge.containers_now() for edge in kedge.edges), 'the end of all containers')


def caller_target(deployment):
    return story.caller_target(deployment).split('=', 1)[1]


def test_mosquitto_rr_deploys(kedge):
    site = kedge.lab.site
    kedge.import_shop()
    reply = stock.mosquitto_rr(site, 'deployment', 'create', {
        'id': 'rr-1', 'name': 'rr', 'package': {'name': 'shop', 'version': '1.1.0'}, 'targets': [{'cluster': 'edge-2'}],
        'overrides': [{'app': 'caller', 'values': {'target': caller_target('rr')}}]})
    assert reply['ok'], reply

    def running():
        return stock.mosquitto_rr(site, 'deployment', 'get', {'name': 'rr'})['result']['status']['state'] == 'running'
    kedge.wait_for(running, 'running')
    edge = kedge.lab.edges['edge-2']
    kedge.wait_for(lambda: edge.get(f'http://{edge.address}:{charts.NODE_PORT}/') == 'caller got: page v2\n', 'the page')
    assert stock.mosquitto_rr(site, 'deployment', 'delete', {'id': 'rr-2', 'name': 'rr'}) == {'ok': True, 'result': {}}
    kedge.wait_for(lambda: not edge.containers_now(), 'the end of all containers')


def test_the_command_of_the_document_works(kedge):
    """docs/protocol.md shows a command for stock tools: word by word, with a broker's address and a name that exists."""
    document = (space.ROOT / 'docs' / 'protocol.md').read_text()
    line, = [line for line in document.splitlines() if line.startswith('    mosquitto_rr')]
    kedge.import_shop()
    stock.mosquitto_rr(kedge.lab.site, 'deployment', 'create', {
        'id': 'document', 'name': 'shop', 'package': {'name': 'shop', 'version': '1.0.0'},
        'targets': [{'labels': {'no': 'where'}}]})
    words = [kedge.lab.site.broker.host if word == 'BROKER' else word for word in shlex.split(line)]
    reply = json.loads(kedge.lab.site.command(*words, '-W', tools.LIMIT_S).stdout)
    assert reply['ok'] and reply['result']['name'] == 'shop'
    assert stock.mosquitto_rr(kedge.lab.site, 'deployment', 'delete', {'id': 'document-2', 'name': 'shop'})['ok']


def test_a_request_acts_once(kedge, operator):
    kedge.import_shop()
    body = {'id': secrets.token_hex(8), 'name': 'once', 'package': {'name': 'shop', 'version': '1.0.0'},
            'targets': [{'labels': {'nobody': 'has'}}]}
    first, again = (operator.reply(operator.send('deployment', 'create', body)) for _ in range(2))
    assert first['ok'] and first == again
    other = operator.reply(operator.send('deployment', 'create', {**body, 'displayName': 'another'}))
    assert other['error']['code'] == 'conflict'
    with pytest.raises(stock.Refused) as refused:
        operator.change('deployment', 'create', **{key: value for key, value in body.items() if key != 'id'})
    assert refused.value.code == 'exists'
    operator.change('deployment', 'delete', name='once')


@pytest.mark.parametrize('kind, verb, body, code', [
    ('deployment', 'get', {'name': 'nobody'}, 'not-found'),
    ('deployment', 'create', {'name': 'UPPER'}, 'invalid'),
    ('deployment', 'create', b'{"name":"a","name":"b"}', 'invalid'),
    ('deployment', 'create', b'{"name":"a"}x', 'invalid'),
    ('deployment', 'create', b'not json', 'invalid'),
    ('deployment', 'dance', {}, 'unsupported'),
    ('ship', 'list', {}, 'unsupported'),
    ('cluster', 'list', {'pageSize': 501}, 'invalid'),
    ('content', 'get', {'digest': 'sha256:' + 64 * '0', 'offset': 0}, 'not-found'),
])
def test_refusals_have_codes(kedge, operator, kind, verb, body, code):
    reply = operator.reply(operator.send(kind, verb, body))
    assert reply['ok'] is False
    assert reply['error']['code'] == code, reply
    assert reply['error']['message']


def test_replies_go_nowhere_else(kedge, operator):
    """A Response Topic outside of the operator's own is not used; the reply goes below its own by the request's id."""
    operator.watch(f'{stock.TOP}/reply/{operator.name}/by-id')
    operator.watch(f'{stock.TOP}/reply/somebody/else')
    operator.inbox, inbox = f'{stock.TOP}/reply/somebody/else', operator.inbox
    operator.send('cluster', 'list', {'id': 'by-id'})
    operator.inbox = inbox
    topic, reply = operator.next_seen()
    assert topic.endswith('/by-id') and reply['ok']


def test_lists_have_pages(kedge, operator):
    for number in range(5):
        operator.change('cluster', 'create', name=f'page-{number}', labels={'page': 'yes'})
    names, token = [], ''
    while True:
        page = operator.ask('cluster', 'list', labels={'page': 'yes'}, pageSize=2, orderBy='name desc',
                            **({'pageToken': token} if token else {}))
        assert len(page['items']) <= 2 and page['totalSize'] == 5
        names += [item['name'] for item in page['items']]
        token = page['nextPageToken']
        if not token:
            break
    assert names == [f'page-{number}' for number in (4, 3, 2, 1, 0)]
    for name in names:
        operator.change('cluster', 'delete', name=name)


def test_what_was_replied_survives_a_kill(kedge, operator):
    operator.change('cluster', 'create', name='kept', labels={})
    kedge.coordinator.restart()
    assert json.dumps(operator.ask('cluster', 'get', name='kept'))
    operator.change('cluster', 'delete', name='kept')
