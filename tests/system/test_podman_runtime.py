"""kedge-agent-job on a real Podman: what docs/podman.md promises, tried with containers."""
import hashlib
import json
import os
import re
import signal
import subprocess
import time

import pytest

from tests.lab import site as laboratory_site
from tests.lab import image, tools

PROJECT = 'acme'
NODE_PORT = 30180
UIDS = {'shop': '1' * 32, 'other': '2' * 32}
DEADLINE_MS = 60000
PRIVATE_PORT = 5443


class Podman:
    """kedge-agent-job on edge-1, with applications whose documents are given by their values."""

    def __init__(self, lab):
        self.lab, self.edge = lab, lab.edges['edge-1']
        self.dir = self.edge.dir / 'runtime'
        self.image = f'{lab.site.page_image()}:v1'
        self.sections = {lab.site.registry.host: {'plain_http': 'yes'}}
        self.documents = {}
        self.dir.mkdir(exist_ok=True)
        self.edge.wipe()
        lab.push_chart('parts', {'all.yaml': '{{ .Values.documents }}\n'}, 'documents: ""\n')
        reply = lab.site.registry.request('GET', '/v2/charts/parts/manifests/0.1.0', headers={'Accept': image.MANIFEST})
        self.digest = 'sha256:' + hashlib.sha256(reply.body).hexdigest()

    def config(self):
        lines = ['cluster = edge-1', f'project = {PROJECT}', 'broker.address = mqtt://nowhere', f'helm.path = {tools.helm()}',
                 f'state.directory = {self.dir}/state', f'run.directory = {self.dir}/run']
        for host, rows in self.sections.items():
            lines += [f'[registry {host}]', *[f'{key} = {value}' for key, value in rows.items()]]
        path = self.dir / 'agent.conf'
        path.write_text('\n'.join(lines) + '\n')
        return path

    def argv(self):
        return self.edge.argv([tools.program('kedge-agent-job'), '--config', self.config()])

    def app(self, deployment, namespace, **more):
        documents = self.documents.get(deployment, '')
        values = json.dumps({'documents': documents})
        key = hashlib.sha256(f'{deployment} {documents}'.encode()).hexdigest()
        uid = more.pop('uid', UIDS[deployment])
        return {'deployment': deployment, 'uid': uid, 'uids': [uid], 'name': 'app', 'namespace': namespace,
                'release': f'{deployment}-app', 'key': key, 'values': [{'yaml': values}],
                'chart': {'registry': self.lab.charts_url(), 'name': 'parts', 'version': '0.1.0', 'digest': self.digest}, **more}

    def request(self, kind, *apps):
        return json.dumps({'kind': kind, 'project': PROJECT, 'deadline_ms': DEADLINE_MS, 'apps': list(apps)})

    def job(self, kind, *apps):
        done = tools.command(self.argv(), input=self.request(kind, *apps), cwd='/')
        return json.loads(done.stdout)

    def good(self, kind, *apps):
        result = self.job(kind, *apps)
        assert result['ok'], result
        return result.get('found', [])

    def deploy(self, documents, deployment='shop', namespace='food', **more):
        """prepare and apply; returns what was found."""
        self.documents[deployment] = documents.replace('IMAGE', self.image)
        app = self.app(deployment, namespace, run_hooks=True, **more)
        self.good('prepare', app)
        found, = self.good('apply', app)
        return found

    def again(self, deployment='shop', namespace='food'):
        found, = self.good('apply', self.app(deployment, namespace))
        return found

    def refused(self, documents, deployment='shop', namespace='food', kind='apply', **more):
        self.documents[deployment] = documents.replace('IMAGE', self.image)
        app = self.app(deployment, namespace, run_hooks=True, **more)
        if kind == 'apply':
            self.good('prepare', app)
        result = self.job(kind, app)
        assert not result['ok'], result
        return result['error']

    def observe(self, *deployments, namespace='food'):
        return self.good('observe', *[self.app(one, namespace) for one in deployments])

    def until(self, state, deployment='shop', namespace='food'):
        def reached():
            found, = self.observe(deployment, namespace=namespace)
            return found if found['state'] == state else None
        return tools.wait_for(reached, f'{deployment} to be {state}')

    def remove(self, deployment='shop', namespace='food'):
        self.good('remove', {'deployment': deployment, 'uid': UIDS[deployment], 'uids': [UIDS[deployment]], 'name': '',
                             'namespace': namespace, 'release': ''})

    # ---- what Podman says --------------------------------------------------------------------------------------------------
    def containers(self, pattern='', deployment='shop'):
        rows = self.edge.containers_now(**{'kedge.uid': UIDS[deployment]})
        return sorted([row for row in rows if re.search(pattern, row['Names'][0])], key=lambda row: row['Names'][0])

    def one(self, pattern, deployment='shop'):
        row, = self.containers(pattern, deployment)
        return row

    def pids(self, deployment='shop'):
        return {row['Id']: row['Pid'] for row in self.containers(deployment=deployment)}

    def inside(self, pattern, *argv, deployment='shop'):
        return self.edge.command('podman', 'exec', self.one(pattern, deployment)['Names'][0], *argv).stdout

    def kill(self, pattern, deployment='shop'):
        self.edge.command('podman', 'kill', self.one(pattern, deployment)['Id'])

    def volumes(self):
        return sorted(row['Name'] for row in self.edge.podman('GET', '/libpod/volumes/json').json())

    def networks(self):
        return [row['name'] for row in self.edge.podman('GET', '/libpod/networks/json').json()]

    def page(self, port=NODE_PORT):
        return tools.wait_for(lambda: self.edge.get(f'http://{self.edge.address}:{port}/'), 'the page')

    def files(self):
        root = self.dir / 'state'
        return sorted(str(path.relative_to(root)) for path in root.rglob('*') if re.search('/(pod|content)-', str(path)))


@pytest.fixture(scope='module')
def machine(lab):
    return Podman(lab)


@pytest.fixture
def podman(machine):
    yield machine
    for deployment in UIDS:
        machine.remove(deployment)
    assert not machine.edge.containers_now() and machine.files() == []
    assert f'kedge-{PROJECT}' not in machine.networks()
    machine.edge.wipe()


def workload(kind, name, pod, more='', labels=None):
    version = 'batch/v1' if kind == 'Job' else 'apps/v1'
    return f"""---
apiVersion: {version}
kind: {kind}
metadata: {{name: {name}}}
spec:
{more}
  template:
    metadata: {{labels: {{app: {labels or name}}}}}
    spec:
      terminationGracePeriodSeconds: 2
{pod}
"""


def web(more='', name='web', pod='', spec=''):
    return workload('Deployment', name, f"""
      containers:
      - name: main
        image: IMAGE
{more}
{pod}
""", more=spec)


def service(name='web', selects=None, spec='ports: [{port: 8080}]'):
    return f"""---
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{selector: {{app: {selects or name}}}, {spec}}}
"""


def config(name='conf', **data):
    return f'---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {json.dumps(data)}\n'


NODE_PORT_SERVICE = service(spec=f'type: NodePort, ports: [{{port: 8080, nodePort: {NODE_PORT}}}]')
PAGE_MOUNT = """        volumeMounts: [{name: conf, mountPath: /www}]
"""
PAGE_VOLUME = """      volumes: [{name: conf, configMap: {name: conf}}]
"""


def job(name, command, more='  backoffLimit: 1', restart='Never'):
    return workload('Job', name, f"""
      restartPolicy: {restart}
      containers: [{{name: work, image: IMAGE, command: [/bin/sh, -c, {json.dumps(command)}]}}]
""", more)


# ---- one container ---------------------------------------------------------------------------------------------------------

def test_a_container_runs_and_is_left_alone(podman):
    found = podman.deploy(NODE_PORT_SERVICE + web())
    assert (found['state'], found['ready'], found['total']) == ('running', 1, 1)
    assert podman.page() == 'page v1\n'
    row = podman.one('deployment_web_0')
    labels = row['Labels']
    wanted = {'project': PROJECT, 'uid': UIDS['shop'], 'deployment': 'shop', 'app': 'app', 'namespace': 'food',
              'release': 'shop-app', 'kind': 'Deployment/web', 'ordinal': '0'}
    assert {key: labels[f'kedge.{key}'] for key in wanted} == wanted
    assert row['Names'][0] == f'kedge_acme_shop_food_app_deployment_web_0_{labels["kedge.hash"][:8]}' and not row['Pod']
    before = podman.pids()
    assert podman.again()['state'] == 'running'
    assert podman.pids() == before


def test_a_stopped_container_is_started_again(podman):
    podman.deploy(web())
    row = podman.one('web')
    podman.kill('web')
    found = podman.until('down')
    assert found['message'] == 'container main of Deployment/web (0) ended with exit code 137'
    assert podman.again()['state'] == 'running'
    assert podman.one('web')['Id'] == row['Id'] and podman.one('web')['Pid'] != row['Pid']


def test_a_container_that_takes_more_memory_than_its_limit_is_ended(podman):
    podman.deploy(web("""        command: [/bin/sh, -c, "sleep 1; exec awk 'BEGIN { s = \\"x\\"; while (1) s = s s }'"]
        resources: {limits: {memory: 16Mi}}
"""))
    assert podman.until('down')['message'].startswith('container main of Deployment/web (0) ended with exit code 137')


# ---- names -----------------------------------------------------------------------------------------------------------------

def test_a_bare_name_is_found_in_its_own_namespace_only(podman):
    """The same service name in two deployments and two namespaces of one project."""
    for deployment, namespace in (('shop', 'food'), ('other', 'toys')):
        podman.deploy(service() + config(**{'index.html': f'page of {namespace}\n'}) + web(PAGE_MOUNT, pod=PAGE_VOLUME),
                      deployment, namespace)
    for deployment, namespace, foreign in (('shop', 'food', 'toys'), ('other', 'toys', 'food')):
        def get(host):
            return podman.inside('web', 'wget', '-q', '-O', '-', f'http://{host}:8080/', deployment=deployment)
        assert get('web') == f'page of {namespace}\n'
        assert get(f'web.{foreign}') == f'page of {foreign}\n'
        assert get(f'web.{foreign}.svc') == f'page of {foreign}\n'
        assert get(f'web.{foreign}.svc.cluster.local') == f'page of {foreign}\n'


def test_a_stateful_set_has_names_volumes_and_an_order(podman):
    podman.deploy(service('db', spec='clusterIP: None, ports: [{port: 8080}]') + workload('StatefulSet', 'db', """
      containers:
      - {name: main, image: IMAGE, volumeMounts: [{name: data, mountPath: /data}], securityContext: {runAsUser: 1000}}
""", """
  serviceName: db
  replicas: 2
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce]}
"""))
    assert podman.inside('db_0', 'wget', '-q', '-O', '-', 'http://db-1.db.food:8080/') == 'page v1\n'
    assert podman.inside('db_0', 'hostname') == 'db-0\n'
    podman.inside('db_1', 'touch', '/data/mine')
    assert podman.inside('db_0', 'ls', '/data') == '' and podman.inside('db_1', 'ls', '/data') == 'mine\n'
    podman.remove()
    kept = [f'kedge_acme_shop_food_app_claim_data-db-{i}' for i in (0, 1)]
    assert podman.volumes() == kept
    for name in kept:
        podman.edge.podman('DELETE', f'/libpod/volumes/{name}')


# ---- configuration ---------------------------------------------------------------------------------------------------------

SECRET = """---
apiVersion: v1
kind: Secret
metadata: {name: sec}
data: {pw: aGVsbG8=}
stringData: {plain: "x y"}
"""


def test_configuration_comes_as_variables_and_files(podman):
    podman.deploy(SECRET + config(a='alpha') + web("""
        env:
        - {name: A, valueFrom: {configMapKeyRef: {name: conf, key: a}}}
        - {name: B, value: "$(A)-$(PW_pw)"}
        - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
        envFrom: [{secretRef: {name: sec}, prefix: PW_}]
        volumeMounts:
        - {name: sec, mountPath: /sec}
        - {name: conf, mountPath: /etc/one, subPath: a}
        - {name: tmp, mountPath: /scratch}
        securityContext: {runAsUser: 1000, runAsGroup: 1000, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
""", pod="""
      securityContext: {fsGroup: 3000}
      volumes:
      - {name: sec, secret: {secretName: sec, defaultMode: 256}}
      - {name: conf, configMap: {name: conf}}
      - {name: tmp, emptyDir: {}}
"""))
    assert podman.inside('web', 'sh', '-c', 'echo $A,$B,$POD,$PW_plain') == 'alpha,alpha-hello,web-0,x y\n'
    assert podman.inside('web', 'cat', '/sec/pw', '/etc/one') == 'helloalpha'
    assert podman.inside('web', 'stat', '-L', '-c', '%a %g', '/sec/pw') == '440 3000\n'
    podman.inside('web', 'touch', '/scratch/mine')
    with pytest.raises(tools.Failure):
        podman.inside('web', 'touch', '/www/mine')
    assert podman.inside('web', 'id', '-G').split() == ['1000', '3000']
    state = podman.dir / 'state'
    outside = next(path for path in state.rglob('*') if '/content-' in str(path)).parent
    while outside != state:
        assert outside.stat().st_mode & 0o777 == 0o700, f'{outside} is open to others'
        outside = outside.parent


def test_a_changed_config_map_replaces_only_what_uses_it(podman):
    documents = NODE_PORT_SERVICE + web(PAGE_MOUNT, pod=PAGE_VOLUME) + web(name='still')
    podman.deploy(config(**{'index.html': 'first\n'}) + documents)
    assert podman.page() == 'first\n'
    still, old, files = podman.one('still')['Id'], podman.one('web')['Id'], podman.files()
    podman.deploy(config(**{'index.html': 'second\n'}) + documents, upgrade=True)
    assert podman.page() == 'second\n'
    assert podman.one('still')['Id'] == still and podman.one('web')['Id'] != old
    assert len(podman.files()) == len(files) and podman.files() != files


# ---- several containers ----------------------------------------------------------------------------------------------------

PAIR = workload('Deployment', 'pair', """
      initContainers:
      - {name: first, image: IMAGE, command: [/bin/sh, -c, "echo first >> /v/index.html"], volumeMounts: [{name: v, mountPath: /v}]}
      - {name: second, image: IMAGE, command: [/bin/sh, -c, "echo second >> /v/index.html"],
         volumeMounts: [{name: v, mountPath: /v}]}
      containers:
      - {name: web, image: IMAGE, args: [/bin/httpd, -f, -p, "8080", -h, /v], volumeMounts: [{name: v, mountPath: /v}]}
      - {name: side, image: IMAGE, command: [/bin/sleep, "100000"]}
      volumes: [{name: v, emptyDir: {}}]
""")


PAIR_SERVICE = NODE_PORT_SERVICE.replace('app: web', 'app: pair')


def test_a_pod_shares_its_network_and_begins_with_its_init_containers(podman):
    found = podman.deploy(PAIR_SERVICE + PAIR)
    assert (found['state'], found['ready'], found['total']) == ('running', 1, 1)
    assert podman.page() == 'first\nsecond\n'
    assert podman.inside('_side', 'wget', '-q', '-O', '-', 'http://127.0.0.1:8080/') == 'first\nsecond\n'
    before = podman.pids()
    assert podman.again()['state'] == 'running' and podman.pids() == before
    podman.kill('_side')
    podman.until('down')
    assert podman.again()['state'] == 'running'
    assert podman.page() == 'first\nsecond\n', 'init containers ran again though only one container had ended'


def test_an_init_container_that_fails_leaves_nothing(podman):
    error = podman.refused(PAIR.replace('echo second', 'exit 5; echo second'))
    assert error['message'] == 'Deployment/pair (0): init container second ended with exit code 5'
    assert podman.containers() == []


# ---- Jobs and hooks --------------------------------------------------------------------------------------------------------

def test_a_job_that_ends_well_is_ready_and_does_not_run_again(podman):
    podman.deploy(job('once', 'exit 0'))
    row = tools.wait_for(lambda: podman.one('job_once') if podman.one('job_once')['State'] == 'exited' else None, 'the Job')
    found = podman.again()
    assert (found['state'], found['ready']) == ('running', 1)
    assert podman.one('job_once')['Id'] == row['Id']


def test_a_job_has_as_many_attempts_as_its_limit_says(podman):
    podman.deploy(job('once', 'sleep 0.2; exit 3'))
    podman.until('down')
    podman.again()
    found = podman.until('failed')
    assert found['message'] == 'Job/once failed: container work ended with exit code 3 in attempt 2'
    row = podman.one('job_once')
    assert podman.again()['state'] == 'failed' and podman.one('job_once')['Id'] == row['Id']


CLAIM = '---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: disk}\nspec: {accessModes: [ReadWriteOnce]}\n'


def hook(name, when, weight, command):
    return f"""---
apiVersion: batch/v1
kind: Job
metadata: {{name: {name}, annotations: {{helm.sh/hook: "{when}", helm.sh/hook-weight: "{weight}"}}}}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
      - {{name: work, image: IMAGE, command: [/bin/sh, -c, {json.dumps(command)}], volumeMounts: [{{name: d, mountPath: /d}}]}}
      volumes: [{{name: d, persistentVolumeClaim: {{claimName: disk}}}}]
"""


def test_hooks_run_in_the_order_of_their_weights_and_tests_never(podman):
    hooks = (hook('late', 'pre-install', 5, 'echo late >> /d/index.html')
             + hook('early', 'pre-install,pre-upgrade', -5, 'echo early >> /d/index.html')
             + hook('after', 'post-install', 0, 'echo after >> /d/index.html') + hook('checks', 'test', 0, 'exit 1'))
    documents = NODE_PORT_SERVICE + CLAIM + hooks + web("""        args: [/bin/httpd, -f, -p, "8080", -h, /d]
        volumeMounts: [{name: d, mountPath: /d}]
""", pod='      volumes: [{name: d, persistentVolumeClaim: {claimName: disk}}]\n')
    found = podman.deploy(documents)
    assert found['state'] == 'running' and found['total'] == 1
    assert podman.page() == 'early\nlate\nafter\n'
    assert podman.containers('job') == []
    podman.again()
    assert podman.page() == 'early\nlate\nafter\n'
    podman.deploy(documents, upgrade=True)
    assert podman.page() == 'early\nlate\nafter\nearly\n'
    podman.remove()
    assert podman.volumes() == []


def test_a_hook_that_fails_stops_the_deployment_before_anything_changes(podman):
    podman.deploy(CLAIM + web())
    before = podman.pids()
    error = podman.refused(CLAIM + hook('check', 'pre-upgrade', 0, 'exit 4') + web(name='another'), upgrade=True)
    assert error['message'] == 'hook: Job/check (0): container work ended with exit code 4'
    assert podman.one('job_check')['ExitCode'] == 4, 'what failed stays to be looked at'
    podman.documents['shop'] = (CLAIM + web()).replace('IMAGE', podman.image)
    assert podman.again()['state'] == 'running' and podman.pids() == before


# ---- failures --------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('pod', [web, lambda: PAIR.replace('name: pair', 'name: web').replace('app: pair', 'app: web')])
def test_a_busy_port_is_told_and_leaves_nothing(podman, pod):
    podman.deploy(NODE_PORT_SERVICE + web(), 'other')
    error = podman.refused(NODE_PORT_SERVICE + pod())
    assert f':{NODE_PORT}: bind: address already in use' in error['message'] and 'Deployment/web (0)' in error['message']
    assert podman.containers() == []
    assert podman.page() == 'page v1\n'
    podman.remove('other')
    assert podman.again()['state'] == 'running'


def test_an_image_that_is_not_there_is_told_before_anything_changes(podman):
    podman.deploy(web())
    before = podman.pids()
    missing = podman.image.replace(':v1', ':none')
    error = podman.refused(web().replace('IMAGE', missing), kind='prepare')
    assert error['message'].startswith(f'pull image {missing}: Podman says: ') and 'manifest unknown' in error['message']
    assert podman.pids() == before


def test_images_are_fetched_with_the_credentials_of_their_registry(podman):
    site = podman.lab.site
    private = laboratory_site.Registry(site, PRIVATE_PORT, 'private', 'ada', 'pa:ss/wörd+?')
    private.start()
    private.ready()
    private.push_image('secret/page', 'v1', image.Image('private page\n'))
    documents = web().replace('IMAGE', f'{private.host}/secret/page:v1')
    password = podman.dir / 'password'
    try:
        for word in ('wrong', private.password):
            password.write_text(word + '\n')
            podman.sections[private.host] = {'plain_http': 'yes', 'username': 'ada', 'password_file': password}
            if word == 'wrong':
                error = podman.refused(documents, kind='prepare')
                assert 'secret/page:v1' in error['message'] and word not in error['message'], error
            else:
                assert podman.deploy(documents)['state'] == 'running'
    finally:
        podman.sections.pop(private.host)
        private.process.stop()


def test_what_podman_cannot_do_is_refused_by_name(podman):
    error = podman.refused(web(pod='      hostNetwork: true\n'), kind='prepare')
    assert error['code'] == 'unsupported'
    assert error['message'].startswith('Deployment/web: spec.template.spec.hostNetwork cannot be done on a Podman edge')


def test_what_is_skipped_is_told(podman):
    podman.documents['shop'] = (web() + """---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: door}
""").replace('IMAGE', podman.image)
    found, = podman.good('prepare', podman.app('shop', 'food'))
    assert found['skipped'] == [{'kind': 'Ingress', 'name': 'door',
                                 'reason': 'a Podman edge has no ingress controller; use a NodePort or a hostPort'}]


def test_a_job_that_is_killed_in_the_middle_is_made_good(podman):
    podman.documents['shop'] = (PAIR_SERVICE + PAIR + web(name='still')).replace('IMAGE', podman.image)
    app = podman.app('shop', 'food')
    podman.good('prepare', app)
    for wait_s in (0.05, 0.15, 0.3, 0.5):
        child = subprocess.Popen([str(word) for word in podman.argv()], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                 start_new_session=True, cwd='/')
        child.stdin.write(podman.request('apply', app).encode())
        child.stdin.close()
        time.sleep(wait_s)
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    assert podman.again()['state'] == 'running'
    assert podman.page().endswith('first\nsecond\n')
    found, = podman.observe('shop')
    assert (found['state'], found['ready'], found['total']) == ('running', 2, 2)


# ---- upgrade, removal, reboot ----------------------------------------------------------------------------------------------

STUBBORN = """        command: [/bin/sh, -c, "trap '' TERM; while true; do sleep 0.1; done"]
        env: [{name: V, value: "%s"}]
"""


def test_an_upgrade_does_not_wait_for_what_stops_slowly(podman):
    podman.deploy(web(STUBBORN % 1))
    old = podman.one('web')['Id']
    found = podman.deploy(web(STUBBORN % 2), upgrade=True)
    assert found['state'] == 'running'
    tools.wait_for(lambda: len(podman.containers()) == 1, 'the old container to end')
    assert podman.one('web')['Id'] != old


def test_what_a_new_version_does_not_name_is_removed(podman):
    podman.deploy(web() + web(name='old') + PAIR)
    podman.deploy(web(), upgrade=True)
    tools.wait_for(lambda: len(podman.containers()) == 1, 'the end of what is not named any more')
    assert 'deployment_web_0' in podman.one('web')['Names'][0]
    tools.wait_for(lambda: podman.edge.podman('GET', '/libpod/pods/json').json() == [], 'the end of its pod')


def test_removal_goes_by_the_uid(podman):
    for deployment in UIDS:
        podman.deploy(CLAIM + config(a='alpha') + PAIR + web("""
        volumeMounts: [{name: c, mountPath: /c}, {name: d, mountPath: /d}]
""", pod="""
      volumes: [{name: c, configMap: {name: conf}}, {name: d, persistentVolumeClaim: {claimName: disk}}]
"""), deployment)
    before = podman.pids('other')
    podman.remove('shop')
    assert podman.containers() == [] and podman.pids('other') == before
    assert podman.volumes() == ['kedge_acme_other_food_app_claim_disk']
    assert podman.files() and not [path for path in podman.files() if '/shop/' in path]
    podman.remove('shop')
    assert podman.pids('other') == before


def test_what_nobody_asked_about_is_found_by_its_labels(podman):
    podman.deploy(web())
    podman.deploy(web(), 'other', 'toys')
    rows = podman.observe('shop')
    assert [(row['uid'], row['state'], row.get('key', '')) for row in rows] == [
        (UIDS['shop'], 'running', podman.app('shop', 'food')['key']), (UIDS['other'], 'differs', '')]
    assert (rows[1]['deployment'], rows[1]['app'], rows[1]['namespace'], rows[1]['ready']) == ('other', 'app', 'toys', 1)


def test_objects_of_an_adopted_uid_are_left_alone(podman):
    podman.deploy(web())
    before = podman.pids()
    adopted = '3' * 32
    app = podman.app('shop', 'food', uid=adopted)
    app['uids'] = [adopted, UIDS['shop']]
    found, = podman.good('apply', app)
    assert found['state'] == 'running' and podman.pids() == before


def test_after_a_reboot_everything_is_started_again(podman):
    podman.deploy(PAIR_SERVICE + CLAIM + PAIR + web("""        volumeMounts: [{name: d, mountPath: /d}]
""", pod='      volumes: [{name: d, persistentVolumeClaim: {claimName: disk}}]\n'))
    podman.inside('web_0', 'touch', '/d/mine')
    before = {row['Id'] for row in podman.containers()}
    podman.edge.reboot()
    found, = podman.observe('shop')
    assert found['state'] == 'down'
    assert podman.again()['state'] == 'running'
    assert podman.page() == 'first\nsecond\nfirst\nsecond\n', 'init containers run again after a reboot'
    assert podman.inside('web_0', 'ls', '/d') == 'mine\n'
    assert {row['Id'] for row in podman.containers()} == before
