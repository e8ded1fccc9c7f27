"""The command line against a coordinator that the test plays itself, with paho-mqtt, from docs/protocol.md: what is sent, how
often, and what becomes of each answer."""
import base64
import io
import json
import os
import pty
import queue
import re
import select
import subprocess
import tarfile
import threading
import time

import paho.mqtt.client as paho
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.lab import tls, tools
from tests.system.test_mqtt import Broker

LIMIT_S = 60
UID = '0123456789abcdef0123456789abcdef'


def deployment(state='running', version='1.0.0', running=2, total=2, offline=0, **more):
    summary = {'total': total, 'running': running, 'offline': offline, 'updating': total - running}
    return {'name': 'shop', 'package': {'name': 'shop', 'version': version}, 'uid': UID, 'resourceVersion': 7,
            'targets': [{'labels': {'chain': 'demo'}}], 'createTime': '2026-01-01T00:00:00Z',
            'status': {'state': state, 'summary': summary}, **more}


def cluster(name, state='online'):
    return {'name': name, 'labels': {'chain': 'demo'}, 'uid': UID, 'resourceVersion': 1,
            'status': {'state': state, 'deployments': 1}}


class Coordinator:
    """Answers requests by a table of (kind/verb) → result, a function of the request, or an error."""

    def __init__(self, port):
        self.answers, self.requests, self.seen = {}, [], queue.Queue()
        self.client = paho.Client(client_id='coordinator', protocol=paho.MQTTv5)
        self.client.on_message = self.on_message
        self.client.on_connect = lambda *_: self.client.subscribe('kedge/v1/default/request/#', qos=1)
        self.subscribed = threading.Event()
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.client.connect('127.0.0.1', port)
        self.client.loop_start()
        assert self.subscribed.wait(LIMIT_S)

    def on_message(self, client, _, message):
        *_, operator, kind, verb = message.topic.split('/')
        body = json.loads(message.payload)
        self.requests.append((f'{kind}/{verb}', body, operator))
        self.seen.put(self.requests[-1])
        answer = self.answers.get(f'{kind}/{verb}', ('unsupported', 'no such request'))
        answer = answer(body) if callable(answer) else answer
        if answer is None:
            return
        reply = {'ok': True, 'result': answer}
        if isinstance(answer, tuple):
            reply = {'ok': False, 'error': dict(zip(('code', 'message', 'field'), answer))}
        properties = Properties(PacketTypes.PUBLISH)
        properties.CorrelationData = message.properties.CorrelationData
        client.publish(message.properties.ResponseTopic, json.dumps(reply), qos=1, properties=properties)

    def state(self, topic, view):
        self.client.publish(f'kedge/v1/default/state/{topic}', json.dumps(view) if view else '', qos=1, retain=True)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()

    def bodies(self, what):
        return [body for name, body, _ in self.requests if name == what]


class Kedge:
    def __init__(self, port, home):
        self.home = home
        kept = ('PATH', 'ASAN_OPTIONS', 'UBSAN_OPTIONS')
        self.env = {**{key: os.environ[key] for key in kept if key in os.environ}, 'HOME': str(home), 'KEDGE_OPERATOR': 'ada',
                    'KEDGE_BROKER': f'mqtt://127.0.0.1:{port}'}

    def run(self, *words, code=0, stdin='', **env):
        done = subprocess.run([tools.program('kedge'), *map(str, words)], env={**self.env, **env}, input=stdin, text=True,
                              capture_output=True, timeout=LIMIT_S, cwd=self.home)
        assert done.returncode == code, f'{words}: {done.returncode}\n{done.stdout}{done.stderr}'
        return done.stdout if code == 0 else done.stderr

    def start(self, *words, **options):
        return subprocess.Popen([tools.program('kedge'), *map(str, words)], env=self.env, text=True, **options)


@pytest.fixture
def broker(tmp_path):
    one = Broker(tmp_path, ['allow_anonymous true']).start()
    yield one
    one.kill()


@pytest.fixture
def coordinator(broker):
    one = Coordinator(broker.port)
    yield one
    one.close()


@pytest.fixture
def kedge(broker, tmp_path):
    return Kedge(broker.port, tmp_path)


# ---- asking ----------------------------------------------------------------------------------------------------------------

def page(items):
    return {'items': items, 'nextPageToken': '', 'totalSize': len(items)}


def test_get_in_every_format(kedge, coordinator):
    coordinator.answers = {'deployment/list': page([deployment(offline=1)]), 'deployment/get': deployment()}
    table = kedge.run('get', 'deployments').splitlines()
    assert table[0].split() == ['NAME', 'PACKAGE', 'STATE', 'CLUSTERS', 'AGE', 'NOTE']
    assert re.fullmatch(r'shop +shop:1\.0\.0 +running \(1 offline\) +2/2 +\d+d ago', table[1])
    assert UID in kedge.run('get', 'dep', '-o', 'wide')
    assert kedge.run('get', 'deployments', '-o', 'name') == 'deployment/shop\n'
    listed = json.loads(kedge.run('get', 'deployments', '-o', 'json'))
    assert listed['items'][0]['name'] == 'shop' and listed['items'][0]['specSchema'] == 'Deployment'
    assert json.loads(kedge.run('get', 'deployment', 'shop', '-ojson'))['status']['state'] == 'running'
    assert 'specSchema: Deployment\n' in kedge.run('get', 'deployment/shop', '--output=yaml')
    assert kedge.run('get', 'deployments', '--no-headers').startswith('shop ')
    assert coordinator.requests[0][2] == 'ada'


def test_get_follows_pages(kedge, coordinator):
    def answer(body):
        first = 'pageToken' not in body
        return {'items': [cluster('one' if first else 'two')], 'nextPageToken': 'more' if first else '', 'totalSize': 2}
    coordinator.answers = {'cluster/list': answer}
    assert kedge.run('get', 'clusters', '-l', 'chain=demo', '-o', 'name') == 'cluster/one\ncluster/two\n'
    assert [body['labels'] for body in coordinator.bodies('cluster/list')] == [{'chain': 'demo'}] * 2


def test_get_nothing(kedge, coordinator):
    coordinator.answers = {'package/list': page([]), 'cluster/orphans': page([])}
    assert kedge.run('get', 'packages') == 'there are no packages\n'
    assert json.loads(kedge.run('get', 'packages', '-o', 'json')) == {'items': []}
    assert kedge.run('get', 'orphans') == 'there are no orphans\n'


def test_versions_of_one_package(kedge, coordinator):
    items = [{'name': name, 'version': version} for name, version in (('shop', '1.0.0'), ('workshop', '1.0.0'), ('shop', '1.10.0'))]
    coordinator.answers = {'package/list': page(items), 'package/get': items[0]}
    assert kedge.run('get', 'package', 'shop', '-o', 'name') == 'package/shop:1.0.0\npackage/shop:1.10.0\n'
    assert json.loads(kedge.run('get', 'package', 'shop:1.0.0', '-o', 'json'))['version'] == '1.0.0'
    assert coordinator.bodies('package/get')[0]['version'] == '1.0.0'


def test_describe_and_status(kedge, coordinator):
    apps = [{'name': 'web', 'version': '1.0.0', 'state': 'running', 'ready': 1, 'total': 1, 'age_s': 600},
            {'name': 'db', 'version': '1.0.0', 'state': 'failed', 'reason': 'image', 'message': 'no such\033[2Jimage'}]
    skipped = [{'kind': 'Ingress', 'name': 'web', 'reason': 'has no meaning with Podman'}]
    clusters = page([{'cluster': 'edge-1', 'state': 'failed', 'offline': True, 'apps': apps, 'skipped': skipped}])
    orphan = {'cluster': 'edge-1', 'deployment': 'old', 'uid': UID, 'state': 'orphaned'}
    coordinator.answers = {'deployment/get': deployment(offline=1), 'deployment/clusters': clusters,
                           'cluster/get': cluster('edge-1'), 'cluster/orphans': page([orphan]),
                           'deployment/list': page([deployment()])}
    status = kedge.run('status', 'shop')
    assert 'running (1 offline)' in status and 'edge-1' in status and 'failed (offline)' in status
    assert 'image: no such?[2Jimage' in status and '\033' not in status
    assert 'Ingress/web' in status and '10m' in status
    described = kedge.run('describe', 'deployment', 'shop')
    assert re.search(r'^Package: +shop:1\.0\.0$', described, re.M)
    assert 'edge-1' in described and 'specSchema: Deployment' in described
    assert re.search(r'^edge-1 +old +orphaned', kedge.run('describe', 'cluster', 'edge-1'), re.M)
    assert 'shop' in kedge.run('status')
    coordinator.answers['deployment/get'] = deployment('no-target-clusters', running=0, total=0)
    assert 'no cluster is its target' in kedge.run('status', 'shop')


# ---- changing --------------------------------------------------------------------------------------------------------------

def test_deploy_with_everything(kedge, coordinator, tmp_path):
    (tmp_path / 'db.yaml').write_text('storage:\n  size: 1Gi\n  class: fast\n')
    versions = ('1.9.0', '1.10.0', '1.10.0-rc1')
    coordinator.answers = {'package/list': page([{'name': 'shop', 'version': one} for one in versions]),
                           'deployment/create': deployment()}
    out = kedge.run('deploy', 'shop', '--name', 'shop-1', '-l', 'chain=demo,zone=a', '-l', 'kind=lab', '--cluster', 'one,two',
                    '--cluster', 'three',
                    '--profile', 'big', '--set', 'web.replicas=2,web.image.tag=v1',
                    '--set-string', 'web.port=80', '--values', 'db=db.yaml', '--set', 'db.storage.size=2Gi',
                    '--namespace', 'web=front')
    assert out == 'deployment/shop-1 created (1.10.0)\n'
    body = coordinator.bodies('deployment/create')[0]
    assert body.pop('id')
    assert body == {
        'name': 'shop-1', 'package': {'name': 'shop', 'version': '1.10.0'}, 'profile': 'big',
        'overrides': [{'app': 'db', 'values': {'storage': {'size': '2Gi', 'class': 'fast'}}},
                      {'app': 'web', 'namespace': 'front', 'values': {'replicas': 2, 'image': {'tag': 'v1'}, 'port': '80'}}],
        'targets': [{'labels': {'chain': 'demo', 'zone': 'a'}}, {'labels': {'kind': 'lab'}}, {'cluster': 'one'}, {'cluster': 'two'},
                    {'cluster': 'three'}]}


def test_deploy_waits(kedge, coordinator):
    views = [deployment('deploying', running=0), deployment('deploying', running=1), deployment()]
    coordinator.answers = {'deployment/create': views[0], 'deployment/clusters': page([]),
                           'deployment/get': lambda _: views.pop(0) if len(views) > 1 else views[0]}
    out = kedge.run('deploy', 'shop:1.0.0', '-l', 'chain=demo', '--wait')
    assert out.splitlines() == ['deployment/shop created (1.0.0)', 'shop 1.0.0: deploying, 0/2, 2 updating',
                                'shop 1.0.0: deploying, 1/2, 1 updating', 'shop 1.0.0: running, 2/2']
    views[:] = [deployment('deploying', running=0)]
    assert 'kedge status shop' in kedge.run('deploy', 'shop:1.0.0', '-l', 'chain=demo', '--wait', '--timeout', '1s', code=4)
    views[:] = [deployment('error', running=0)]
    kedge.run('upgrade', 'shop', '1.0.0', '--wait', '--timeout', '1s', code=1)


def test_deploy_adopts(kedge, coordinator):
    coordinator.answers = {'deployment/create': ('exists', 'there is one'), 'deployment/adopt': {'adopted': [UID]}}
    assert 'takes over' in kedge.run('deploy', 'shop:1.0.0', '-l', 'chain=demo', '--adopt')
    assert 'kedge upgrade' in kedge.run('deploy', 'shop:1.0.0', '-l', 'chain=demo', code=1)


def test_upgrade_keeps_what_is_there(kedge, coordinator):
    there = deployment(overrides=[{'app': 'web', 'namespace': 'front', 'values': {'a': 1, 'b': {'c': 2}}}], displayName='Shop')
    coordinator.answers = {'deployment/get': there, 'deployment/update': there}
    kedge.run('upgrade', 'shop', '1.1.0', '--set', 'web.b.d=3')
    body = coordinator.bodies('deployment/update')[0]
    assert body['package'] == {'name': 'shop', 'version': '1.1.0'} and body['displayName'] == 'Shop'
    assert body['overrides'] == [{'app': 'web', 'namespace': 'front', 'values': {'a': 1, 'b': {'c': 2, 'd': 3}}}]
    assert (body['uid'], body['resourceVersion'], body['targets']) == (UID, 7, there['targets'])
    assert 'status' not in body and 'createTime' not in body


def test_apply_creates_and_updates(kedge, coordinator):
    there = {'edge-1': cluster('edge-1')}

    def create(body):
        there[body['name']] = {**cluster(body['name']), 'labels': body.get('labels', {})}
        return there[body['name']]

    def update(body):
        one = there[body['name']]
        if (body['uid'], body['resourceVersion']) != (one['uid'], one['resourceVersion']):
            return ('conflict', 'another one')
        if body['labels'] != one['labels']:
            one.update(labels=body['labels'], resourceVersion=one['resourceVersion'] + 1)
        return one
    coordinator.answers = {'cluster/get': lambda body: there.get(body['name'], ('not-found', 'there is none')),
                           'cluster/create': create, 'cluster/update': update}
    documents = ''.join(f'specSchema: Cluster\nschemaVersion: "0.1"\nname: {name}\nlabels: {{chain: new}}\n---\n'
                        for name in ('edge-1', 'edge-2'))
    assert kedge.run('apply', '-f', '-', stdin=documents) == 'cluster/edge-1 configured\ncluster/edge-2 created\n'
    assert kedge.run('apply', '-f', '-', stdin=documents) == 'cluster/edge-1 unchanged\ncluster/edge-2 unchanged\n'
    again = kedge.run('get', 'cluster', 'edge-1', '-o', 'yaml')
    assert kedge.run('apply', '-f', '-', stdin=again.replace('chain: new', 'chain: other')) == 'cluster/edge-1 configured\n'
    assert 'another one' in kedge.run('apply', '-f', '-', stdin=again, code=1)  # its resourceVersion is an old one now


@pytest.mark.parametrize('text, says', [
    ('name: x', 'specSchema is missing'), ('specSchema: Unknown\nname: x', "no specSchema 'Unknown'"),
    ('specSchema: Cluster', 'without a name'), ('specSchema: Cluster\nname: [', 'line 6'), ('', 'no document'),
    ('- a', 'document 2')])
def test_apply_names_mistakes_before_anything_is_sent(kedge, coordinator, text, says):
    good = 'specSchema: Cluster\nname: good\n---\n' if text else ''
    assert says in kedge.run('apply', '-f', '-', stdin=good + text, code=1)
    assert coordinator.requests == []


def test_delete_names_exactly_what_was_seen(kedge, coordinator):
    package = {'name': 'shop', 'version': '1.0.0', 'uid': UID, 'resourceVersion': 2}
    coordinator.answers = {'deployment/get': lambda body: ('not-found', 'gone') if 'uid' in body else deployment(),
                           'deployment/delete': {}, 'package/get': package, 'package/delete': {}}
    assert kedge.run('delete', 'deployment', 'shop', '--wait') == 'deployment/shop deleted\n'
    body = coordinator.bodies('deployment/delete')[0]
    assert (body['name'], body['uid'], body['resourceVersion']) == ('shop', UID, 7)
    assert kedge.run('delete', 'package', 'shop:1.0.0') == 'package/shop:1.0.0 deleted\n'
    assert coordinator.bodies('package/delete')[0]['version'] == '1.0.0'
    assert 'kedge get packages' in kedge.run('delete', 'package', 'shop', code=2)


def test_what_operators_say_about_clusters_and_holds(kedge, coordinator):
    coordinator.answers = {'cluster/prune': {'pruned': [UID]}, 'deployment/resume': deployment(),
                           'cluster/leave': cluster('edge-1'), 'cluster/adopt': cluster('edge-1')}
    assert kedge.run('prune', 'edge-1', 'shop') == f'orphan/shop ({UID}) will be removed from edge-1\n'
    for words in (('resume', 'shop'), ('leave', 'edge-1'), ('adopt', 'edge-1')):
        assert words[1] in kedge.run(*words)
    assert [name for name, _, _ in coordinator.requests] == ['cluster/prune', 'deployment/resume', 'cluster/leave', 'cluster/adopt']
    assert coordinator.bodies('cluster/prune')[0]['deployment'] == 'shop'


class Uploads:
    def __init__(self):
        self.parts, self.of, self.dropped = {}, 0, set()

    def put(self, body):
        if body['part'] == 2 and body['part'] not in self.dropped:  # as if it had been lost behind the reply
            self.dropped.add(2)
        else:
            self.parts[body['part']] = base64.b64decode(body['data'])
        missing = [part for part in range(1, body['of'] + 1) if part not in self.parts]
        return {'upload': body['upload'], 'missing': missing[:100], 'complete': not missing}

    def content(self):
        return b''.join(self.parts[part] for part in sorted(self.parts))


def test_import_of_a_directory(kedge, coordinator, tmp_path):
    uploads, folder = Uploads(), tmp_path / 'package'
    (folder / 'values').mkdir(parents=True)
    files = {'app.yaml': b'specSchema: Application\n', 'values/web.yaml': os.urandom(300000), '.hidden': b'x'}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    imported = {'kind': 'package', 'name': 'shop', 'version': '1.0.0', 'action': 'created'}
    coordinator.answers = {'upload/put': uploads.put, 'package/import': {'imported': [imported]}}
    assert re.search(r'^package +shop +1\.0\.0 +created$', kedge.run('import', folder), re.M)
    with tarfile.open(fileobj=io.BytesIO(uploads.content())) as archive:
        assert {one.name: archive.extractfile(one).read() for one in archive} == {
            name: content for name, content in files.items() if name[0] != '.'}
    assert len(uploads.parts) == 3 and len(coordinator.bodies('upload/put')) == 4
    assert coordinator.bodies('package/import')[0]['upload'] == coordinator.bodies('upload/put')[0]['upload']
    assert 'No such file' in kedge.run('import', tmp_path / 'absent', code=1)


# ---- when things go wrong --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('words, says', [
    (('statsu',), "did you mean 'kedge status'?"), (('get', 'deploymens'), 'did you mean deployment'),
    (('get',), 'missing'),
    (('get', 'deployments', '--watc'), 'did you mean --watch?'), (('get', 'deployments', '--set', 'a.b=c'), 'has no flag --set'),
    (('get', 'deployments', '-o', 'xml'), 'output format'), (('get', 'packages', '-l', 'a=b'), 'only clusters'),
    (('deploy', 'shop'), 'say where'), (('deploy', 'Shop', '-l', 'a=b'), 'lower-case'),
    (('deploy', 'shop', '-l', 'a'), 'key=value'),
    (('deploy', 'shop', '-l', 'a=b', '--set', 'x=1'), 'app.key=value'), (('upgrade', 'shop'), 'missing'), (('apply',), '-f'),
    (('deploy', 'shop', '-l', 'a=b', '--name'), 'wants a value'), (('get', 'deployments', '--timeout', 'soon'), 'timeout'),
    (('describe', 'cluster'), 'which one'), (('delete', 'orphan', 'x'), 'kedge prune'), (('help', 'x'), 'no command'),
    (('get', 'deployment', 'a', 'b'), 'too much'), (('get', 'orphans', '-w'), 'watched'),
    (('status', 'A'), 'lower-case'), ((), '')])
def test_mistakes_on_the_command_line(kedge, words, says):
    assert says in kedge.run(*words, code=2)


def test_errors_say_what_to_do_next(kedge, coordinator):
    rows = {'not-found': 'kedge get', 'exists': 'kedge upgrade', 'conflict': 'kedge describe', 'in-use': 'first',
            'forbidden': '--operator', 'too-large': 'smaller', 'unavailable': 'again', 'unsupported': 'upgrade',
            'internal': 'log', 'invalid': 'kedge help'}
    for code, hint in rows.items():
        coordinator.answers = {'deployment/resume': (code, 'because of this', '$.name')}
        told = kedge.run('resume', 'shop', code=1)
        assert told.startswith('kedge: because of this ($.name)\n') and hint in told.splitlines()[1]


def test_no_broker(tmp_path):
    told = Kedge(1, tmp_path).run('get', 'deployments', code=3)
    assert 'Connection refused' in told and 'KEDGE_BROKER' in told


def test_no_coordinator(kedge):
    told = kedge.run('get', 'deployments', '--timeout', '1s', code=4)
    assert 'no coordinator listens' in told and 'kedge-coordinator' in told


def test_coordinator_without_an_answer(kedge, coordinator):
    coordinator.answers = {'deployment/list': lambda _: None}
    assert 'did not reply' in kedge.run('get', 'deployments', '--timeout', '1s', code=4)


def test_request_is_repeated_with_its_id_after_the_broker_came_back(kedge, broker, coordinator):
    answers = [None, deployment()]
    coordinator.answers = {'deployment/resume': lambda _: answers.pop(0)}
    child = kedge.start('resume', 'shop', stdout=subprocess.PIPE)
    coordinator.seen.get(timeout=LIMIT_S)
    coordinator.subscribed.clear()
    broker.kill()
    broker.start()
    assert coordinator.subscribed.wait(LIMIT_S)
    assert child.communicate(timeout=LIMIT_S)[0] == 'deployment/shop goes on\n' and child.returncode == 0
    ids = {body['id'] for body in coordinator.bodies('deployment/resume')}
    assert len(ids) == 1 and len(coordinator.requests) == 2


def test_coordinator_that_comes_late_is_waited_for(kedge, broker):
    child = kedge.start('resume', 'shop', stdout=subprocess.PIPE)
    time.sleep(0.5)  # nothing depends on this: the command may also find the coordinator there
    late = Coordinator(broker.port)
    late.answers = {'deployment/resume': deployment()}
    assert child.communicate(timeout=LIMIT_S)[0] == 'deployment/shop goes on\n'
    late.close()


def test_late_reply_to_another_request_is_ignored(kedge, coordinator):
    def answer(body):
        topic = None
        for _, one, _ in coordinator.requests:
            topic = one['id']
        assert topic == body['id']
        return deployment()
    coordinator.answers = {'deployment/get': answer, 'deployment/update': answer}
    kedge.run('upgrade', 'shop', '1.0.0')
    ids = [body['id'] for _, body, _ in coordinator.requests]
    assert len(ids) == len(set(ids)) == 2


def test_refused_by_the_broker(tmp_path):
    acl = tmp_path / 'acl'
    acl.write_text('topic readwrite kedge/v1/other/#\n')
    broker = Broker(tmp_path, ['allow_anonymous true', f'acl_file {acl}']).start()
    try:
        assert "does not let 'ada'" in Kedge(broker.port, tmp_path).run('resume', 'shop', '--timeout', '5s', code=1)
    finally:
        broker.kill()


def test_tls_and_a_password(tmp_path):
    right, wrong = tls.Authority(tmp_path / 'right'), tls.Authority(tmp_path / 'wrong')
    cert, key = right.issue('broker', 'broker', ['127.0.0.1'])
    users, secret = tmp_path / 'users', tmp_path / 'secret'
    subprocess.run(['mosquitto_passwd', '-b', '-c', users, 'ada', 'correct horse'], check=True, timeout=LIMIT_S)
    secret.write_text('correct horse\nonly the first line counts\n')
    broker = Broker(tmp_path, [f'certfile {cert}', f'keyfile {key}', f'password_file {users}']).start()
    kedge = Kedge(broker.port, tmp_path)
    kedge.env.update(KEDGE_BROKER=f'mqtts://127.0.0.1:{broker.port}', KEDGE_CA_FILE=str(right.cert), KEDGE_USERNAME='ada')
    try:  # connected: only the coordinator is missing
        kedge.run('resume', 'shop', '--password-file', secret, '--timeout', '1s', code=4)
        assert 'verify failed' in kedge.run('resume', 'shop', '--password-file', secret, '--ca-file', wrong.cert, code=3)
        assert 'uthori' in kedge.run('resume', 'shop', code=3)  # not authorised: no password
        assert 'No such file' in kedge.run('resume', 'shop', '--password-file', tmp_path / 'absent', code=1)
    finally:
        broker.kill()


def test_settings_come_from_file_environment_and_flags(kedge, coordinator, tmp_path):
    coordinator.answers = {'deployment/resume': deployment()}
    config = tmp_path / '.config' / 'kedge' / 'config'
    config.parent.mkdir(parents=True)
    config.write_text('operator = file\nproject = wrong\n')
    del kedge.env['KEDGE_OPERATOR']
    kedge.run('resume', 'shop', '--project=default')
    kedge.run('resume', 'shop', KEDGE_OPERATOR='env', KEDGE_PROJECT='default')
    kedge.run('--operator', 'flag', 'resume', 'shop', KEDGE_OPERATOR='env', KEDGE_PROJECT='default')
    assert [operator for _, _, operator in coordinator.requests] == ['file', 'env', 'flag']
    config.write_text('broke = x\n')
    assert 'broke' in kedge.run('resume', 'shop', code=2)


def test_many_at_once_are_clients_of_their_own(kedge, coordinator):
    coordinator.answers = {'deployment/resume': lambda body: {**deployment(), 'name': body['name']}}
    children = [kedge.start('resume', f'shop-{i}', stdout=subprocess.PIPE) for i in range(10)]
    assert [child.communicate(timeout=LIMIT_S)[0] for child in children] == [f'deployment/shop-{i} goes on\n' for i in range(10)]


# ---- watching, terminals, completion ---------------------------------------------------------------------------------------

def lines_of(child):
    lines = queue.Queue()
    threading.Thread(target=lambda: [lines.put(line.rstrip('\n')) for line in child.stdout], daemon=True).start()
    return lines


def test_watch_prints_a_line_per_change(kedge, coordinator):
    coordinator.answers = {'cluster/list': page([cluster('edge-1')])}
    child = kedge.start('get', 'clusters', '--watch', '--no-headers', stdout=subprocess.PIPE)
    lines = lines_of(child)
    try:
        assert re.match(r'edge-1 +online', lines.get(timeout=LIMIT_S))
        coordinator.state('cluster/edge-1', {'order': {'epoch': 1, 'n': 1}, **cluster('edge-1')})  # nothing new: no line
        coordinator.state('cluster/edge-9', {'order': {'epoch': 1, 'n': 1}, **cluster('edge-9')})
        assert re.match(r'edge-9 +online', lines.get(timeout=LIMIT_S))
        coordinator.state('cluster/edge-1', {'order': {'epoch': 1, 'n': 2}, **cluster('edge-1', 'offline')})
        assert re.match(r'edge-1 +offline', lines.get(timeout=LIMIT_S))
        coordinator.state('cluster/edge-1', {'order': {'epoch': 1, 'n': 1}, **cluster('edge-1', 'unknown')})  # an old one
        coordinator.state('cluster/edge-2', {'order': {'epoch': 1, 'n': 3}, **cluster('edge-2')})
        assert re.match(r'edge-2 +online', lines.get(timeout=LIMIT_S))
    finally:
        child.kill()
        child.wait()


class Terminal:
    """Runs a command on a terminal of its own."""

    def __init__(self, kedge, *words, **env):
        self.end, inner = pty.openpty()
        self.child = subprocess.Popen([tools.program('kedge'), *words], env={**kedge.env, 'TERM': 'xterm', **env}, stdin=inner,
                                      stdout=inner, stderr=inner)
        os.close(inner)
        self.text = ''

    def until(self, wanted):
        until = time.monotonic() + LIMIT_S
        while wanted not in self.text and time.monotonic() < until:
            if select.select([self.end], [], [], 0.1)[0]:
                try:
                    self.text += os.read(self.end, 65536).decode()
                except OSError:  # the other side is closed
                    break
        assert wanted in self.text
        return self.text

    def close(self):
        self.child.kill()
        self.child.wait()
        os.close(self.end)


def test_live_view_draws_in_place(kedge, coordinator):
    views = [deployment('updating', running=1), deployment()]
    coordinator.answers = {'deployment/get': lambda _: views.pop(0) if len(views) > 1 else views[0],
                           'deployment/clusters': page([])}
    terminal = Terminal(kedge, 'status', 'shop', '--watch')
    try:
        text = terminal.until('2/2')
        assert '\033[33mupdating\033[0m' in text and '\033[32mrunning\033[0m' in text and '\033[1A\033[J' in text
    finally:
        terminal.close()
    terminal = Terminal(kedge, 'get', 'deployment', 'shop', NO_COLOR='1')
    assert '\033' not in terminal.until('2/2')
    terminal.close()


def test_progress_of_an_upload(kedge, coordinator, tmp_path):
    uploads = Uploads()
    (tmp_path / 'big.tar.gz').write_bytes(os.urandom(500000))
    coordinator.answers = {'upload/put': uploads.put, 'package/import': {'imported': []}}
    terminal = Terminal(kedge, 'import', str(tmp_path / 'big.tar.gz'))
    assert 'uploading [' in terminal.until('ACTION')
    terminal.close()
    assert uploads.content() == (tmp_path / 'big.tar.gz').read_bytes()


def test_completion(kedge, coordinator):
    coordinator.answers = {'deployment/list': page([deployment()]), 'cluster/list': page([cluster('edge-1'), cluster('edge-2')]),
                           'package/list': page([{'name': 'shop', 'version': one} for one in ('1.0.0', '1.1.0')]),
                           'deployment/get': deployment()}

    def complete(*words):
        return kedge.run('__complete', *words).split()
    assert complete('de') == ['describe', 'deploy', 'delete']
    assert complete('get', 'clus') == ['clusters', 'cluster']
    assert complete('get', 'deployment', '') == ['shop']
    assert complete('upgrade', '') == ['shop'] and complete('upgrade', 'shop', '1.') == ['1.0.0', '1.1.0']
    assert complete('deploy', 'sh') == ['shop:1.0.0', 'shop:1.1.0']
    assert complete('deploy', 'shop:1.0.0', '--cluster', 'edge') == ['edge-1', 'edge-2']
    assert complete('get', 'clusters', '-o', 'j') == ['json']
    assert '--selector' in complete('deploy', 'shop', '--se') and complete('import', '') == []
    coordinator.answers = {}
    assert complete('upgrade', '') == []


def test_help_and_manual_page_come_from_the_table(kedge):
    overview = kedge.run('help')
    names = re.findall(r'^  ([a-z]+) ', overview.split('Flags of all')[0], re.M)
    assert names[:3] == ['import', 'apply', 'get'] and len(names) == 13
    page_text = kedge.run('--man')
    for name in names:
        assert f'.SS kedge {name} ' in page_text
        assert f'Usage: kedge {name}' in kedge.run('help', name) == kedge.run(name, '--help')
    assert re.match(r'kedge \d+\.\d+\.\d+\n', kedge.run('--version'))


def test_completion_in_bash(kedge, coordinator):
    coordinator.answers = {'package/list': page([{'name': 'shop', 'version': one} for one in ('1.0.0', '1.1.0')])}
    script = tools.space.ROOT / 'packaging' / 'kedge.bash'

    def complete(line):
        words = 'COMP_WORDS=(' + str(tools.program('kedge')) + '); COMP_LINE="$1"; COMP_POINT=${#1}; COMP_WORDBREAKS=:'
        done = subprocess.run(['bash', '-c', f'. {script}; {words}; _kedge; printf "%s\\n" "${{COMPREPLY[@]}}"', 'bash', line],
                              env=kedge.env, text=True, capture_output=True, timeout=LIMIT_S, check=True)
        return done.stdout.split()
    assert complete('kedge upg') == ['upgrade']
    assert complete('kedge deploy ') == ['shop:1.0.0', 'shop:1.1.0']
    assert complete('kedge deploy shop:1.1') == ['1.1.0']
    assert complete('kedge deploy shop -l a=b --wa') == ['--wait']


def test_commands_and_settings_are_documented(kedge):
    text = (tools.space.ROOT / 'docs' / 'cli.md').read_text()
    overview = kedge.run('help')
    names = re.findall(r'^  ([a-z]+) ', overview.split('Flags of all')[0], re.M)
    settings = re.findall(r'^  --([a-z-]+) ', overview, re.M)
    assert [name for name in names if f'`kedge {name}' not in text] == []
    assert [name for name in settings if f'`{name.replace("-", "_")}`' not in text] == []


# ---- with the real coordinator ---------------------------------------------------------------------------------------------

CATALOG = """specSchema: Registry
schemaVersion: "0.1"
name: nowhere
rootUrl: oci://127.0.0.1:1/charts
type: HELM
"""

VERSIONED = """---
specSchema: Application
schemaVersion: "0.1"
name: web
version: {version}
chartName: web
chartVersion: {version}
helmRegistry: nowhere
defaultProfile: default
profiles: [{{name: default, valuesFileName: web.yaml}}]
---
specSchema: DeploymentPackage
schemaVersion: "0.1"
name: shop
version: {version}
applications: [{{name: web, version: {version}}}]
defaultProfile: default
deploymentProfiles: [{{name: default, applicationProfiles: [{{application: web, profile: default}}]}}]
"""


@pytest.fixture
def real(broker, kedge, tmp_path):
    config = tmp_path / 'coordinator.conf'
    config.write_text(f'broker.address = mqtt://127.0.0.1:{broker.port}\nstate.directory = {tmp_path}/state\n')
    with open(tmp_path / 'coordinator.log', 'wb') as log:
        child = subprocess.Popen([tools.program('kedge-coordinator'), '--config', config], stdin=subprocess.DEVNULL, stdout=log,
                                 stderr=log)
    kedge.run('get', 'clusters')  # waits for it
    yield kedge
    child.terminate()
    assert child.wait(LIMIT_S) == 0, (tmp_path / 'coordinator.log').read_text()


def test_a_catalog_and_a_deployment_from_first_to_last(real, tmp_path):
    folder = tmp_path / 'package'
    folder.mkdir()
    (folder / 'all.yaml').write_text(CATALOG + ''.join(VERSIONED.format(version=one) for one in ('1.0.0', '1.1.0')))
    (folder / 'web.yaml').write_text('a: 1\n')
    clusters = ''.join(f'---\nspecSchema: Cluster\nname: edge-{i}\nlabels: {{chain: demo}}\n' for i in (1, 2))
    assert real.run('apply', '-f', '-', stdin=clusters) == 'cluster/edge-1 created\ncluster/edge-2 created\n'
    assert real.run('apply', '-f', '-', stdin=clusters) == 'cluster/edge-1 unchanged\ncluster/edge-2 unchanged\n'
    assert re.findall(r' (\w+)$', real.run('import', folder), re.M)[1:] == ['created'] * 5
    assert set(re.findall(r' (\w+)$', real.run('import', folder), re.M)[1:]) == {'unchanged'}
    assert real.run('get', 'packages', '-o', 'name') == 'package/shop:1.0.0\npackage/shop:1.1.0\n'
    assert real.run('deploy', 'shop:1.0.0', '-l', 'chain=demo', '--set', 'web.x=1') == 'deployment/shop created (1.0.0)\n'
    assert 'waits' in real.run('status', 'shop', '--timeout', '20s') and 'nowhere' in real.run('describe', 'deployment', 'shop')
    assert 'kedge upgrade' in real.run('deploy', 'shop', '-l', 'chain=demo', code=1)
    real.run('upgrade', 'shop', '1.1.0', '--set', 'web.y=2')
    view = json.loads(real.run('get', 'deployment', 'shop', '-o', 'json'))
    assert (view['package']['version'], view['overrides']) == ('1.1.0', [{'app': 'web', 'values': {'x': 1, 'y': 2}}])
    document = real.run('get', 'deployment', 'shop', '-o', 'yaml')
    assert real.run('apply', '-f', '-', stdin=document) == 'deployment/shop unchanged\n'
    assert 'first' in real.run('delete', 'package', 'shop:1.1.0', code=1)
    assert 'no orphan' in real.run('prune', 'edge-1', 'shop', code=1)
    real.run('leave', 'edge-2')
    assert json.loads(real.run('get', 'cluster', 'edge-2', '-o', 'json'))['leave'] is True
    real.run('delete', 'deployment', 'shop', '--wait')
    real.run('delete', 'package', 'shop:1.0.0', 'shop:1.1.0')
    real.run('delete', 'application', 'web:1.0.0', 'web:1.1.0')
    real.run('delete', 'registry', 'nowhere')
    real.run('delete', 'cluster', 'edge-1', 'edge-2')
    for kind in ('deployments', 'packages', 'applications', 'registries', 'clusters', 'orphans'):
        assert real.run('get', kind) == f'there are no {kind}\n'


def test_watch_sees_what_the_coordinator_changes(real):
    child = real.start('get', 'clusters', '--watch', '-o', 'name', stdout=subprocess.PIPE)
    lines = lines_of(child)
    try:
        real.run('apply', '-f', '-', stdin='specSchema: Cluster\nname: edge-1\n')
        assert lines.get(timeout=LIMIT_S) == 'cluster/edge-1'
        real.run('apply', '-f', '-', stdin='specSchema: Cluster\nname: edge-1\nlabels: {a: b}\n')
        assert lines.get(timeout=LIMIT_S) == 'cluster/edge-1'
    finally:
        child.kill()
        child.wait()
