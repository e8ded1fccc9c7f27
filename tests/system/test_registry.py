"""The registry client against a real docker-registry, and behind a front that does to it what networks and bad servers do."""
import base64
import contextlib
import http.server
import json
import os
import random
import ssl
import subprocess
import threading
import urllib.parse

import pytest

from tests.lab import tls, tools
from tests.lab.loopback import Registry, digest_of, free_port

LIMIT_S = 60
USER, PASSWORD = 'ada', 'open sesame'  # of a registry with a password
BASIC = 'Basic ' + base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode()
CHART_BYTES = 1_500_000  # of the file in the chart that does not compress: cuts at random bytes have room
VERSION = '0.1.0+build.7'  # the + is written _ in a registry


class Front:
    """Hands requests on to a registry, and answers with what `change(request, reply)` made of them. A reply that has `cut` ends
    after so many bytes of its body, one with `stall` stands still there until `release`."""

    def __init__(self, registry, change=None, context=None):
        self.registry, self.change, self.heard, self.release = registry, change, [], threading.Event()
        front = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def log_message(self, *words):
                pass

            def do_GET(self):
                front.serve(self)

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.server.daemon_threads = True
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_port
        self.host = f'127.0.0.1:{self.port}'
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={'poll_interval': 0.05})
        self.thread.start()

    def serve(self, handler):
        request = {'path': handler.path, 'headers': dict(handler.headers.items()), 'sent': 0}
        self.heard.append(request)
        reply = (self.change and self.change(request)) or self.hand_on(request)
        body, cut = reply['body'], reply.get('cut', reply.get('stall'))
        handler.send_response(reply['status'])
        for key, value in reply['headers'].items():
            handler.send_header(key, value)
        handler.send_header('Content-Length', len(body))
        handler.end_headers()
        with contextlib.suppress(OSError):
            handler.wfile.write(body[:cut])
            handler.wfile.flush()
            request['sent'] = len(body[:cut])
            if 'stall' in reply:
                self.release.wait(LIMIT_S)
        handler.close_connection = cut is not None

    def hand_on(self, request):
        kept = ('accept', 'authorization', 'range')
        headers = {key: value for key, value in request['headers'].items() if key.lower() in kept}
        status, headers, body = self.registry.ask('GET', request['path'], headers)
        dropped = ('content-length', 'connection', 'transfer-encoding', 'date')
        return {'status': status, 'headers': {k: v for k, v in headers.items() if k.lower() not in dropped}, 'body': body}

    def blobs(self):
        return [one for one in self.heard if '/blobs/' in one['path']]

    def close(self):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Chart:
    """A chart with a large file, made by hand and pushed by helm."""

    def __init__(self, folder, registry):
        source = folder / 'web'
        (source / 'templates').mkdir(parents=True)
        (source / 'Chart.yaml').write_text(f'apiVersion: v2\nname: web\nversion: {VERSION}\n')
        (source / 'templates' / 'a.yaml').write_text('apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n')
        (source / 'large.bin').write_bytes(random.Random(7).randbytes(CHART_BYTES))
        env = {**os.environ, 'HOME': str(folder)}
        tools.command([tools.helm(), 'package', source, '-d', folder], env=env)
        self.archive = folder / f'web-{VERSION}.tgz'
        self.bytes = self.archive.read_bytes()
        pushed = tools.command([tools.helm(), 'push', self.archive, f'oci://{registry.host}/charts', '--plain-http'], env=env)
        self.digest = next(line.split()[1] for line in (pushed.stdout + pushed.stderr).splitlines() if line.startswith('Digest:'))


@pytest.fixture(scope='module')
def registry(tmp_path_factory):
    one = Registry(tmp_path_factory.mktemp('open') / 'registry')
    yield one
    one.stop()


@pytest.fixture(scope='module')
def chart(tmp_path_factory, registry):
    return Chart(tmp_path_factory.mktemp('chart'), registry)


@pytest.fixture
def front(registry):
    """Makes fronts; they end with the test."""
    made = []

    def make(change=None, context=None, behind=registry):
        made.append(Front(behind, change, context))
        return made[-1]
    yield make
    for one in made:
        one.close()


def start(*words, plain=True, user=None, password=None, ca_file=None, **more):
    env = {key: value for key, value in os.environ.items() if not key.lower().endswith('_proxy')}
    env.update({'KD_PLAIN_HTTP': '1'} if plain else {})
    env.update({'KD_USERNAME': user, 'KD_PASSWORD': password} if user else {})
    env.update({'KD_CA_FILE': str(ca_file)} if ca_file else {})
    env.update(more)
    return subprocess.Popen([tools.build() / 'tests' / 'system' / 'registry_driver', *map(str, words)], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, text=True, env=env)


def end(child):
    text, _ = child.communicate(timeout=LIMIT_S)
    assert child.returncode in (0, 1), f'ended with {child.returncode}: {text}'
    return child.returncode == 0, text.strip()


def resolve(host, name='web', version=VERSION, scheme='oci', **options):
    return end(start('resolve', f'{scheme}://{host}/charts', name, version, **options))


def fetch(host, digest, folder, scheme='oci', **options):
    return end(start('fetch', f'{scheme}://{host}/charts', 'web', VERSION, digest, folder, **options))


def assert_fetched(done, chart):
    ok, text = done
    assert ok, text
    with open(text, 'rb') as file:
        assert file.read() == chart.bytes


def assert_refused(done, code, part=''):
    ok, text = done
    assert not ok and text.startswith(code + ': ') and part in text, text


def test_resolve(registry, chart):
    assert resolve(registry.host) == (True, chart.digest)
    assert_refused(resolve(registry.host, version='9.9.9'), 'not-found', 'chart web 9.9.9')
    assert_refused(resolve(registry.host, name='other'), 'not-found')
    assert_refused(resolve(f'127.0.0.1:{free_port()}'), 'unavailable')
    assert_refused(resolve('no-such-host.invalid'), 'unavailable')


def test_plain_http_must_be_allowed(registry, chart):
    assert_refused(resolve(registry.host, plain=False), 'unavailable')
    assert_refused(resolve(registry.host, scheme='http', plain=False), 'forbidden', 'plain http is not allowed')


def test_fetch_and_cache(front, chart, tmp_path):
    one = front()
    assert_fetched(fetch(one.host, chart.digest, tmp_path), chart)
    heard = len(one.heard)
    assert_fetched(fetch(one.host, chart.digest, tmp_path), chart)
    assert len(one.heard) == heard, 'what is in the cache needs no registry'


def test_cut_at_random_bytes(front, chart, tmp_path):
    """Each transfer brings a random part; every byte is fetched once."""
    chance = random.Random(11)
    limits = {'blobs': 0}

    def change(request):
        reply = one.hand_on(request)
        if '/blobs/' in request['path'] and len(reply['body']) > 1000 and limits['blobs'] < 12:
            limits['blobs'] += 1
            reply['cut'] = chance.randrange(1, len(reply['body']) // 3 + 2)
        return reply
    one = front(change)
    assert_fetched(fetch(one.host, chart.digest, tmp_path), chart)
    assert limits['blobs'] > 5
    assert sum(blob['sent'] for blob in one.blobs()) < len(chart.bytes) + 13 * 262144, 'only what was on its way is sent twice'
    assert any('Range' in blob['headers'] for blob in one.blobs())


def test_cut_before_the_first_byte(front, chart, tmp_path):
    """Attempts that bring nothing come to an end; what is there stays for the next time."""
    have = {'first': True}

    def change(request):
        reply = one.hand_on(request)
        if '/blobs/' in request['path'] and have['broken']:
            reply['cut'] = 1000 if have['first'] else 0
            have['first'] = False
        return reply
    one = front(change)
    have['broken'] = True
    assert_refused(fetch(one.host, chart.digest, tmp_path), 'unavailable')
    assert len(one.blobs()) < 6
    have['broken'] = False
    assert_fetched(fetch(one.host, chart.digest, tmp_path), chart)
    assert one.blobs()[-1]['headers']['Range'] == 'bytes=1000-'


@pytest.mark.parametrize('ranges', [True, False], ids=['ranges', 'no-ranges'])
def test_killed_transfer(front, chart, tmp_path, ranges):
    """A fetch that was killed goes on in the next process; from the beginning where the server knows no ranges."""
    state = {'stall': True}

    def change(request):
        if '/blobs/' not in request['path']:
            return None
        if not ranges:
            request = {**request, 'headers': {k: v for k, v in request['headers'].items() if k != 'Range'}}
        reply = one.hand_on(request)
        if state['stall']:
            reply['stall'] = 500_000
        return reply
    one = front(change)
    child = start('fetch', f'oci://{one.host}/charts', 'web', VERSION, chart.digest, tmp_path)

    def arrived():
        return sum(part.stat().st_size for part in tmp_path.glob('*.part')) == 500_000
    tools.wait_for(arrived, '500,000 bytes on the disk')
    child.kill()
    child.communicate()
    state['stall'] = False
    one.release.set()
    assert_fetched(fetch(one.host, chart.digest, tmp_path), chart)
    assert one.blobs()[-1]['headers']['Range'] == 'bytes=500000-'
    assert one.blobs()[-1]['sent'] == len(chart.bytes) - (500_000 if ranges else 0)
    assert not list(tmp_path.glob('*.part'))


def test_wrong_bytes(front, chart, tmp_path):
    state = {'wrong': True}

    def change(request):
        reply = one.hand_on(request)
        if '/blobs/' in request['path'] and state['wrong']:
            reply['body'] = reply['body'][:-1] + bytes([reply['body'][-1] ^ 1])
        return reply
    one = front(change)
    assert_refused(fetch(one.host, chart.digest, tmp_path), 'invalid', 'has digest sha256:')
    assert not [file for file in tmp_path.iterdir() if file.name != chart.digest[7:]]
    state['wrong'] = False
    assert_fetched(fetch(one.host, chart.digest, tmp_path), chart)


def test_more_bytes_than_announced(front, chart, tmp_path):
    def change(request):
        reply = one.hand_on(request)
        if '/blobs/' in request['path']:
            reply['body'] += b'more'
        return reply
    one = front(change)
    assert_refused(fetch(one.host, chart.digest, tmp_path), 'too-large')


def test_wrong_manifest(front, chart, tmp_path):
    """Neither by the digest that was asked for nor by the one that the registry announces."""
    def change(request):
        reply = one.hand_on(request)
        if '/manifests/' in request['path']:
            reply['body'] += b' '
        return reply
    one = front(change)
    assert_refused(resolve(one.host), 'invalid', 'announced')
    assert_refused(fetch(one.host, chart.digest, tmp_path), 'invalid')
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('manifest, code', [
    (b'{}', 'unsupported'),
    (b'{"layers":[{"mediaType":"application/octet-stream","digest":"sha256:' + b'0' * 64 + b'","size":3}]}', 'unsupported'),
    (b'{"layers":[{"mediaType":"application/vnd.cncf.helm.chart.content.v1.tar+gzip","digest":"md5:1","size":3}]}', 'unsupported'),
    (b'not json', 'invalid'),
    (b' ' * 1_100_000, 'too-large'),
], ids=['empty', 'other', 'md5', 'text', 'large'])
def test_what_is_no_chart(front, manifest, code):
    one = front(lambda request: {'status': 200, 'headers': {}, 'body': manifest})
    assert_refused(resolve(one.host), code)


def test_too_large_chart(front, tmp_path):
    layer = {'mediaType': 'application/vnd.cncf.helm.chart.content.v1.tar+gzip', 'digest': 'sha256:' + '0' * 64, 'size': 1 << 40}
    manifest = json.dumps({'layers': [layer]}).encode()
    one = front(lambda request: {'status': 200, 'headers': {}, 'body': manifest})
    assert_refused(fetch(one.host, digest_of(manifest), tmp_path), 'too-large')
    assert not one.blobs()


def test_redirect_keeps_credentials_at_home(tmp_path, tmp_path_factory, chart, front):
    """As registries with object stores do: the bytes come from another host, which must not see who asks."""
    behind = Registry(tmp_path / 'registry', user=(USER, PASSWORD))
    try:
        push_as_user(tmp_path / 'docker', behind, chart)
        store = front(lambda request: {'status': 200, 'headers': {}, 'body': chart.bytes})

        def change(request):
            if '/blobs/' not in request['path']:
                return None
            there = f'http://localhost:{store.port}/store?signature=secret'
            return {'status': 307, 'headers': {'Location': there}, 'body': b''}
        one = front(change, behind=behind)
        assert_fetched(fetch(one.host, chart.digest, tmp_path / 'cache', user=USER, password=PASSWORD), chart)
        assert any('Authorization' in request['headers'] for request in one.heard)
        assert store.heard and not any('Authorization' in request['headers'] for request in store.heard)
    finally:
        behind.stop()


def push_as_user(folder, registry, chart):
    folder.mkdir()
    env = {**os.environ, 'HOME': str(folder)}
    tools.command([tools.helm(), 'registry', 'login', registry.host, '--plain-http', '-u', USER, '--password-stdin'], env=env,
                  input=PASSWORD)
    tools.command([tools.helm(), 'push', chart.archive, f'oci://{registry.host}/charts', '--plain-http'], env=env)


def test_challenge_of_another_host_gets_nothing(front, chart):
    """A redirect leads to a host that asks for credentials: it gets none, nor does the token server that it names."""
    thief = front(lambda request: {'status': 401, 'headers': {'WWW-Authenticate': f'Bearer realm="{thief_realm()}"'}, 'body': b''})

    def thief_realm():
        return f'http://127.0.0.1:{thief.port}/token'

    def change(request):
        there = f'http://localhost:{thief.port}/x'
        return {'status': 302, 'headers': {'Location': there}, 'body': b''}
    one = front(change)
    assert_refused(resolve(one.host, user=USER, password=PASSWORD), 'forbidden')
    assert len(thief.heard) == 1 and 'Authorization' not in thief.heard[0]['headers']


def test_basic(tmp_path, chart):
    behind = Registry(tmp_path / 'registry', user=(USER, PASSWORD))
    try:
        push_as_user(tmp_path / 'docker', behind, chart)
        assert resolve(behind.host, user=USER, password=PASSWORD) == (True, chart.digest)
        assert_fetched(fetch(behind.host, chart.digest, tmp_path / 'cache', user=USER, password=PASSWORD), chart)
        assert_refused(resolve(behind.host, user=USER, password='wrong'), 'forbidden', 'refuses these credentials')
        assert_refused(resolve(behind.host), 'forbidden', 'wants credentials')
    finally:
        behind.stop()


@pytest.mark.parametrize('member', ['token', 'access_token'])
def test_tokens(front, chart, tmp_path, member):
    """A token server that wants user name and password, and a registry that wants its token."""
    def token(request):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(request['path']).query)
        if request['headers'].get('Authorization') != BASIC:
            return {'status': 401, 'headers': {}, 'body': b'{}'}
        body = json.dumps({member: '+'.join([*query['service'], *query['scope']])}).encode()
        return {'status': 200, 'headers': {}, 'body': body}
    server = front(token)

    def change(request):
        if request['headers'].get('Authorization') == 'Bearer the registry+repository:charts/web:pull':
            return one.hand_on({**request, 'headers': {k: v for k, v in request['headers'].items() if k != 'Authorization'}})
        asked = f'Bearer realm="http://{server.host}/token",service="the registry",scope="repository:charts/web:pull"'
        return {'status': 401, 'headers': {'WWW-Authenticate': asked}, 'body': b'{}'}
    one = front(change)
    assert resolve(one.host, user=USER, password=PASSWORD) == (True, chart.digest)
    assert_fetched(fetch(one.host, chart.digest, tmp_path, user=USER, password=PASSWORD), chart)
    assert_refused(resolve(one.host, user=USER, password='wrong'), 'forbidden', 'get a token')


def test_tls(front, chart, tmp_path):
    authority = tls.Authority(tmp_path / 'tls')
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue('server', 'server', ['127.0.0.1']))
    one = front(context=context)
    assert resolve(one.host, plain=False, ca_file=authority.cert) == (True, chart.digest)
    assert_refused(resolve(one.host, plain=False), 'unavailable', 'certificate')


def test_tls_is_not_left_by_a_redirect(front, chart, registry, tmp_path):
    authority = tls.Authority(tmp_path / 'tls')
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue('server', 'server', ['127.0.0.1']))

    def change(request):
        return {'status': 302, 'headers': {'Location': f'http://{registry.host}{request["path"]}'}, 'body': b''}
    one = front(change, context)
    for scheme in ('oci', 'https'):
        assert_refused(resolve(one.host, scheme=scheme, plain=False, ca_file=authority.cert), 'forbidden', 'from https to http')


def test_two_processes_fetch_once(front, chart, tmp_path):
    one = front()
    words = ['fetch', f'oci://{one.host}/charts', 'web', VERSION, chart.digest, tmp_path]
    children = [start(*words) for _ in range(4)]
    for child in children:
        assert_fetched(end(child), chart)
    assert len(one.blobs()) == 1


class HelmRepository:
    """index.yaml and the archive, as `helm repo index` lays them out."""

    def __init__(self, chart, url, digest=None):
        entry = {'name': 'web', 'version': VERSION, 'urls': [url], 'digest': digest or digest_of(chart.bytes)[7:]}
        self.index = json.dumps({'apiVersion': 'v1', 'entries': {'other': [], 'web': [entry]}}).encode()
        self.files = {'/charts/index.yaml': self.index, f'/charts/web-{VERSION}.tgz': chart.bytes}

    def __call__(self, request):
        body = self.files.get(request['path'])
        return {'status': 200 if body else 404, 'headers': {}, 'body': body or b''}


def test_helm_repository(front, chart, tmp_path):
    one = front(HelmRepository(chart, f'web-{VERSION}.tgz'))
    digest = digest_of(chart.bytes)
    assert resolve(one.host, scheme='http') == (True, digest)
    assert_refused(resolve(one.host, scheme='http', version='9.9.9'), 'not-found')
    assert_fetched(fetch(one.host, digest, tmp_path, scheme='http'), chart)
    assert_refused(fetch(one.host, 'sha256:' + '0' * 64, tmp_path, scheme='http'), 'invalid')


def test_helm_repository_with_the_archive_elsewhere(front, chart, tmp_path):
    """Credentials go to the repository, not to where its archives are."""
    store = front(lambda request: {'status': 200, 'headers': {}, 'body': chart.bytes})
    pages = HelmRepository(chart, f'http://localhost:{store.port}/web.tgz')

    def change(request):
        if request['headers'].get('Authorization') != BASIC:
            return {'status': 401, 'headers': {'WWW-Authenticate': 'Basic realm="x"'}, 'body': b''}
        return pages(request)
    one = front(change)
    assert_fetched(fetch(one.host, digest_of(chart.bytes), tmp_path, scheme='http', user=USER, password=PASSWORD), chart)
    assert store.heard and 'Authorization' not in store.heard[0]['headers']


def test_trim(front, chart, tmp_path):
    """What is named stays, whatever the limit says."""
    assert_fetched(fetch(front().host, chart.digest, tmp_path), chart)
    archive = digest_of(chart.bytes)
    assert end(start('trim', tmp_path, 0, archive, chart.digest)) == (True, str(sum(f.stat().st_size for f in tmp_path.iterdir())))
    assert end(start('trim', tmp_path, 0, archive)) == (True, str(len(chart.bytes)))
    assert end(start('trim', tmp_path, 0)) == (True, '0')
