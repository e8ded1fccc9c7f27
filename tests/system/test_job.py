"""kedge-agent-job by itself: what it renders and keeps, what it refuses, its limits, and that it leaves nothing behind.

No Podman is needed here: the charts have ConfigMaps only, or helm is another program."""
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

from tests.lab import tools
from tests.lab.loopback import Registry, free_port

LIMIT_S = 60
UID = '0123456789abcdef' * 2
SECRET = 'correct horse battery staple'

TEMPLATES = {
    'map.yaml': """apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data:
  greeting: {{ .Values.greeting | quote }}
  second: {{ .Values.second | default "none" | quote }}
  random: {{ randAlphaNum 20 | quote }}
  release: {{ .Release.Name }} {{ .Release.Namespace }} {{ .Release.IsUpgrade }} {{ .Capabilities.KubeVersion.Version }}
  apis: {{ .Capabilities.APIVersions.Has "example.org/v1/Thing" | quote }}
  flag: {{ .Values.flag | quote }}
""",
    'bad.yaml': '{{ if .Values.fail }}{{ fail .Values.fail }}{{ end }}\n',
}


class Edge:
    """Directories and settings of one agent."""

    def __init__(self, folder, registry):
        self.dir, self.registry = folder, registry
        self.state, self.run = folder / 'state', folder / 'run'
        self.config = folder / 'agent.conf'
        self.settings = {'cluster': 'edge', 'broker.address': 'mqtt://nowhere', 'state.directory': self.state,
                         'run.directory': self.run, 'helm.path': tools.helm(), 'podman.socket': folder / 'no.sock'}
        self.sections = {f'registry {registry.host}': {'plain_http': 'yes'}}

    def configure(self):
        lines = [f'{key} = {value}' for key, value in self.settings.items()]
        for name, rows in self.sections.items():
            lines += [f'[{name}]', *[f'{key} = {value}' for key, value in rows.items()]]
        fresh = self.config.with_suffix('.new')
        fresh.write_text('\n'.join(lines) + '\n')
        fresh.replace(self.config)  # other jobs may be reading it

    def start(self, request, **options):
        self.configure()
        child = subprocess.Popen([tools.program('kedge-agent-job'), '--config', self.config], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        child.stdin.write(request if isinstance(request, bytes) else json.dumps(request).encode())
        child.stdin.close()
        child.stdin = None
        return child

    def job(self, request):
        child = self.start(request)
        out, errors = child.communicate(timeout=LIMIT_S)
        assert child.returncode == 0 and not errors, errors.decode()
        return json.loads(out)

    def private(self):
        return sorted((self.run / 'jobs').iterdir())

    def kept(self, key):
        return self.state / 'content' / 'rendering' / f'{key}.json'

    def documents(self, key):
        return [json.loads(line) for line in self.kept(key).read_text().splitlines()[1:]]


class Chart:
    def __init__(self, folder, registry):
        source = folder / 'maps'
        (source / 'templates').mkdir(parents=True)
        (source / 'Chart.yaml').write_text('apiVersion: v2\nname: maps\nversion: 1.0.0\n')
        (source / 'values.yaml').write_text('greeting: hello\nflag: yes\n')
        for name, text in TEMPLATES.items():
            (source / 'templates' / name).write_text(text)
        env = {**os.environ, 'HOME': str(folder)}
        tools.command([tools.helm(), 'package', source, '-d', folder], env=env)
        pushed = tools.command([tools.helm(), 'push', folder / 'maps-1.0.0.tgz', f'oci://{registry.host}/charts', '--plain-http'],
                               env=env)
        self.root = f'oci://{registry.host}/charts'
        self.digest = next(line.split()[1] for line in (pushed.stdout + pushed.stderr).splitlines() if line.startswith('Digest:'))


@pytest.fixture(scope='module')
def registry(tmp_path_factory):
    one = Registry(tmp_path_factory.mktemp('registry') / 'r')
    yield one
    one.stop()


@pytest.fixture(scope='module')
def chart(tmp_path_factory, registry):
    return Chart(tmp_path_factory.mktemp('chart'), registry)


@pytest.fixture
def edge(tmp_path, registry):
    return Edge(tmp_path, registry)


def key_of(text):
    return hashlib.sha256(text.encode()).hexdigest()


def request_of(chart, kind='prepare', key='one', values=('{}',), deadline_ms=60000, **more):
    app = {'deployment': 'shop', 'uid': UID, 'uids': [UID], 'name': 'web', 'namespace': 'food', 'release': 'shop-web-01234567',
           'key': key_of(key), 'values': [{'yaml': text} for text in values],
           'chart': {'registry': chart.root, 'name': 'maps', 'version': '1.0.0', 'digest': chart.digest}, **more}
    return {'kind': kind, 'project': 'acme', 'deadline_ms': deadline_ms, 'apps': [app]}


def assert_refused(result, code, *parts):
    assert not result['ok'] and result['error']['code'] == code, result
    for part in parts:
        assert part in result['error']['message'], result


def test_prepare_keeps_the_rendering(edge, chart):
    """Values in their order, names, level and API versions reach the chart; a second prepare renders nothing anew."""
    edge.settings['kubernetes.version'] = '1.31.4'
    edge.settings['kubernetes.api_versions'] = 'example.org/v1/Thing, example.org/v2'
    request = request_of(chart, values=('greeting: a\nsecond: b\n', 'greeting: c\n'))
    result = edge.job(request)
    assert result['ok'] and len(result['found']) == 1 and result['found'][0]['key'] == key_of('one'), result
    document, = edge.documents(key_of('one'))
    data = document['data']
    assert (data['greeting'], data['second'], data['apis']) == ('c', 'b', 'true')
    assert data['release'] == 'shop-web-01234567 food false v1.31.4'
    assert data['flag'] == 'true'
    edge.settings['helm.path'] = '/nonexistent/helm'
    assert edge.job(request)['ok']
    assert edge.documents(key_of('one'))[0]['data']['random'] == data['random']
    assert not edge.private()


def test_upgrade_is_told_to_the_chart(edge, chart):
    assert edge.job(request_of(chart, upgrade=True))['ok']
    assert ' true ' in edge.documents(key_of('one'))[0]['data']['release']


def test_without_registry_once_the_chart_is_there(edge, chart):
    """Another key (other values) needs Helm again, but no registry."""
    assert edge.job(request_of(chart))['ok']
    edge.sections[f'registry {edge.registry.host}'] = {'plain_http': 'no'}  # it cannot be reached by TLS
    assert edge.job(request_of(chart, key='two', values=('greeting: x\n',)))['ok']
    assert edge.documents(key_of('two'))[0]['data']['greeting'] == 'x'


def test_damaged_rendering_is_as_none(edge, chart):
    assert edge.job(request_of(chart))['ok']
    kept = edge.kept(key_of('one'))
    kept.write_bytes(kept.read_bytes().replace(b'hello', b'hallo'))
    assert_refused(edge.job(request_of(chart, kind='apply')), 'not-found')
    assert not kept.exists()
    assert edge.job(request_of(chart))['ok']
    assert edge.documents(key_of('one'))[0]['data']['greeting'] == 'hello'


def test_secrets_stay_private(edge, chart, tmp_path):
    """Values are in no argument, in no message, and in no file that others can read."""
    spy = tmp_path / 'helm'
    spy.write_text(f'#!/bin/sh\nps -o args= -p $$ > {tmp_path}/args; env > {tmp_path}/env\nls -ld . * > {tmp_path}/files\n'
                   f'exec {tools.helm()} "$@"\n')
    spy.chmod(0o755)
    edge.settings['helm.path'] = spy
    password = tmp_path / 'password'
    password.write_text(SECRET + '\n')
    edge.sections[f'registry {edge.registry.host}'].update(username='ada', password_file=password)
    result = edge.job(request_of(chart, values=(f'greeting: {SECRET}\n',)))
    assert result['ok'] and SECRET not in json.dumps(result)
    for name in ('args', 'env'):
        assert SECRET not in (tmp_path / name).read_text()
    listed = (tmp_path / 'files').read_text()
    assert all(line.split()[0][4:10] == '------' for line in listed.splitlines()), listed
    assert edge.kept(key_of('one')).stat().st_mode & 0o077 == 0
    assert edge.documents(key_of('one'))[0]['data']['greeting'] == SECRET


@pytest.mark.parametrize('values, parts', [
    ('fail: you must choose a colour', ['helm: ', 'you must choose a colour']),
    ('a: [', ['helm: ', 'values-0.yaml']),
], ids=['template', 'values'])
def test_what_helm_refuses(edge, chart, values, parts):
    """Final and readable, and the same each time."""
    results = [edge.job(request_of(chart, values=(values,))) for _ in range(2)]
    assert_refused(results[0], 'invalid', *parts)
    assert results[0] == results[1]
    assert not edge.kept(key_of('one')).exists()


def test_what_cannot_be_had(edge, chart):
    wrong = request_of(chart)
    wrong['apps'][0]['chart']['digest'] = 'sha256:' + '0' * 64
    assert_refused(edge.job(wrong), 'not-found', 'chart maps 1.0.0')
    wrong['apps'][0]['chart']['registry'] = f'oci://127.0.0.1:{free_port()}/charts'
    assert_refused(edge.job(wrong), 'unavailable')
    edge.settings['helm.path'] = '/nonexistent/helm'
    assert_refused(edge.job(request_of(chart)), 'unavailable', 'helm.path')


def test_mirror_is_asked_first(edge, chart):
    """The registry itself cannot be reached; its mirror can."""
    host = f'127.0.0.1:{free_port()}'
    edge.sections[f'registry {host}'] = {'mirror': edge.registry.host}
    request = request_of(chart)
    request['apps'][0]['chart']['registry'] = f'oci://{host}/charts'
    assert edge.job(request)['ok']
    del edge.sections[f'registry {host}']
    request['apps'][0]['key'] = key_of('other')
    assert edge.job(request)['ok'], 'the chart is in the cache now'


@pytest.mark.parametrize('request_bytes', [
    b'', b'{', b'[]', b'{"kind":"dance","project":"acme","deadline_ms":1}',
    b'{"kind":"prepare","project":"acme","deadline_ms":1000}', b' ' * (24 * 1024 * 1024 + 1),
], ids=['nothing', 'cut', 'list', 'kind', 'no-app', 'large'])
def test_bad_requests(edge, request_bytes):
    edge.configure()
    done = subprocess.run([tools.program('kedge-agent-job'), '--config', edge.config], input=request_bytes,
                          stdout=subprocess.PIPE, timeout=LIMIT_S, check=False)
    result = json.loads(done.stdout)
    assert done.returncode == 0
    assert_refused(result, 'too-large' if len(request_bytes) > 1000 else 'invalid')


def test_options(edge):
    edge.configure()
    program = tools.program('kedge-agent-job')
    assert tools.command([program, '--config', edge.config, '--check-config']).returncode == 0
    assert 'podman.socket' in tools.command([program, '--help']).stdout
    assert tools.command([program, '--version']).stdout.startswith('kedge-agent-job ')
    edge.config.write_text('cluster = x\nno.such = 1\n')
    done = tools.command([program, '--config', edge.config], check=False)
    assert done.returncode != 0 and 'no.such' in done.stderr


# ---- limits: another program in the place of helm --------------------------------------------------------------------------------

def other_helm(edge, text):
    path = edge.dir / 'other-helm'
    path.write_text('#!/bin/sh\n' + text)
    path.chmod(0o755)
    edge.settings['helm.path'] = path


def pid_in(path):
    """A process that wrote its id there."""
    return tools.wait_for(lambda: int(path.read_text()), f'a pid in {path}')


def is_gone(pid):
    """It does not run any more; who reaps it is not our business."""
    try:
        return pathlib.Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] == 'Z'
    except OSError:
        return True


LINGER = 'setsid sh -c \'echo $$ > "{0}/far"; exec sleep 1000\' &\necho $$ > "{0}/near"\nexec sleep 1000\n'


def test_deadline(edge, chart):
    """What hangs is ended with all that it started, also what hid in a session of its own."""
    other_helm(edge, LINGER.format(edge.dir))
    begin = time.monotonic()
    assert_refused(edge.job(request_of(chart, deadline_ms=3000)), 'timeout')
    assert time.monotonic() - begin < LIMIT_S / 2
    for name in ('near', 'far'):
        pid = pid_in(edge.dir / name)
        tools.wait_for(lambda pid=pid: is_gone(pid), f'the end of {name}')
    assert not edge.private()


def test_stopped(edge, chart):
    other_helm(edge, LINGER.format(edge.dir))
    child = edge.start(request_of(chart))
    pids = [pid_in(edge.dir / name) for name in ('near', 'far')]
    child.send_signal(signal.SIGTERM)
    out, _ = child.communicate(timeout=LIMIT_S)
    assert_refused(json.loads(out), 'timeout', 'stopped')
    for pid in pids:
        tools.wait_for(lambda pid=pid: is_gone(pid), 'its end')
    assert not edge.private()


def test_killed(edge, chart):
    """kill -9: helm dies with the job, the next job removes what was left."""
    other_helm(edge, 'echo $$ > "{0}/near"\nexec sleep 1000\n'.format(edge.dir))
    child = edge.start(request_of(chart))
    pid = pid_in(edge.dir / 'near')
    child.kill()
    child.communicate()
    tools.wait_for(lambda: is_gone(pid), 'the end of helm')
    assert len(edge.private()) == 1
    edge.settings['helm.path'] = tools.helm()

    def swept():
        return edge.job(request_of(chart))['ok'] and not edge.private()
    tools.wait_for(swept, 'an empty directory')


def test_daemon_dies(edge, chart):
    """Who started the job is gone: so is the job."""
    other_helm(edge, 'echo $$ > "{0}/near"\nexec sleep 1000\n'.format(edge.dir))
    edge.configure()
    request = edge.dir / 'request'
    request.write_text(json.dumps(request_of(chart)))
    parent = subprocess.Popen(['sh', '-c', f'"$0" --config {edge.config} < {request} & echo $! > {edge.dir}/job; wait',
                               tools.program('kedge-agent-job')], stdout=subprocess.DEVNULL)
    pids = [pid_in(edge.dir / 'near'), pid_in(edge.dir / 'job')]
    parent.kill()
    parent.wait()
    for pid in pids:
        tools.wait_for(lambda pid=pid: is_gone(pid), 'its end')


def test_endless_output(edge, chart):
    other_helm(edge, 'exec yes "a: b"\n')
    assert_refused(edge.job(request_of(chart)), 'too-large')


def test_output_that_is_not_yaml(edge, chart):
    other_helm(edge, 'echo "a: [1"\n')
    assert_refused(edge.job(request_of(chart)), 'invalid', 'rendered chart: line ')


def test_aliases_without_end(edge, chart):
    """A few lines that would become gigabytes."""
    lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]']
    lines += [f'a{i}: &a{i} [{", ".join([f"*a{i - 1}"] * 10)}]' for i in range(1, 10)]
    other_helm(edge, "cat <<'END'\n" + '\n'.join(lines) + '\nEND\n')
    assert_refused(edge.job(request_of(chart)), 'too-large')


def test_jobs_at_once(edge, chart):
    """Several jobs share cache and directories."""
    children = [edge.start(request_of(chart, key=str(n), values=(f'greeting: g{n}\n',))) for n in range(6)]
    for n, child in enumerate(children):
        out, _ = child.communicate(timeout=LIMIT_S)
        assert json.loads(out)['ok'], out
        assert edge.documents(key_of(str(n)))[0]['data']['greeting'] == f'g{n}'
    assert not edge.private()
