"""Packages in the form in which the catalog's users write them: folders, shared registries, old names, archives, several files of
one name. kedge and kedge-coordinator with a broker of their own."""
import json
import os
import subprocess
import tarfile

import pytest

from tests.lab import tools
from tests.system.test_mqtt import Broker

LIMIT_S = 60

FILES = {
    'common/registry-charts.yaml': '''# A comment, and a document that begins late.
---
specSchema: "Registry"
schemaVersion: "0.1"
$schema: "https://schema.intel.com/catalog.orchestrator/0.1/schema"

name: "charts"
displayName: 'Charts of everybody'
description: >
  Folded text
  of two lines
rootUrl: "https://charts.example.org/stable"
type: HELM
''',
    'common/registry-images.yml': '''
specSchema: Registry
schemaVersion: "0.1"
name: images
rootUrl: oci://images.example.org
registryType: IMAGE
userName: reader
authToken: "not shown"
''',
    'shop/applications.yaml': '''
---
specSchema: "Application"
schemaVersion: "0.1"
name: web
version: 1.4.0
displayName: "Web page"
description: "The page"
kind: normal
helmRegistry: "charts"
imageRegistry: images
chartName: "shop/web"
chartVersion: "1.4.0"
defaultProfile: small
profiles:
  - name: small
    displayName: "small"
    valuesFileName: "values.yaml"
    parameterTemplates:
      - name: page.title
        displayName: Title
        type: string
        default: Hello
        suggestedValues: [Hello, Welcome]
      - {name: page.password, type: string, secret: true, mandatory: true}
  - name: large
    chartValues: |
      replicas: 3
ignoredResources:
  - {name: web, kind: Deployment, namespace: shop}
---
specSchema: "Application"
schemaVersion: "0.1"
name: db
version: 0.9.1-rc.1
chartName: db
chartVersion: 0.9.1-rc.1
registry: charts
profiles: [{name: default, valuesFileName: values-db.yaml}]
''',
    'shop/values.yaml': '{{- /* what only Helm can read */ -}}\nreplicas: 1\n',
    'shop/values-db.yaml': '---\nfullnameOverride: db\nport: 0o17\nyes: no\n',
    'shop/deployment-package.yaml': '''
specSchema: "Deployment-Package"
schemaVersion: "0.1"
name: shop
version: "1.2.0"
kind: extension
applications:
  - name: web
    version: 1.4.0
  - {name: db, version: 0.9.1-rc.1}
applicationDependencies:
  - {name: web, requires: db}
defaultNamespaces: {web: shop, db: shop-db}
namespaces:
  - name: shop
    labels:
      pod-security.kubernetes.io/enforce: privileged
    annotations: {note: "true"}
deploymentProfiles:
  - name: default
    displayName: "Default"
    applicationProfiles:
      - {application: web, profile: small}
  - name: big
    applicationProfiles:
      - {application: "web:1.4.0", profile: large}
defaultProfile: default
artifactReferences: [{name: icon, purpose: icon}]
extensions:
  - name: api
    version: 0.1.0
    endpoints:
      - {serviceName: web, externalPath: /a, internalPath: /b, scheme: http, authType: insecure}
forbidsMultipleDeployments: true
isVisible: true
''',
    'shop/icon.yaml': '''
specSchema: Artifact
schemaVersion: "0.1"
name: icon
mimeType: text/plain
artifact: aGVsbG8gd29ybGQ=
''',
    'shop/README.md': '# specSchema is explained elsewhere\n',
    'other/application.yaml': '''
specSchema: Application
schemaVersion: "0.1"
name: other
version: 1.0.0
chartName: other
chartVersion: 1.0.0
helmRegistry: charts
profiles: [{name: default, valuesFileName: values.yaml}]
''',
    'other/values.yaml': 'other: true\n',
}
KINDS = {'registry/charts', 'registry/images', 'artifact/icon', 'application/web', 'application/db', 'application/other',
         'package/shop'}


@pytest.fixture
def broker(tmp_path):
    one = Broker(tmp_path, ['allow_anonymous true']).start()
    yield one
    one.kill()


class Kedge:
    def __init__(self, port, folder):
        self.environment = {**os.environ, 'KEDGE_BROKER': f'mqtt://127.0.0.1:{port}', 'KEDGE_OPERATOR': 'ada', 'HOME': str(folder)}

    def run(self, *arguments, code=0):
        done = subprocess.run([tools.program('kedge'), *map(str, arguments)], env=self.environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=LIMIT_S, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def imported(self, *files):
        """{kind/name: action}"""
        rows = [line.split() for line in self.run('import', *files).splitlines()[1:]]
        return {f'{row[0]}/{row[1]}': row[3] for row in rows}

    def view(self, kind, name):
        return json.loads(self.run('get', kind, name, '-o', 'json'))


@pytest.fixture
def kedge(broker, tmp_path):
    config = tmp_path / 'coordinator.conf'
    config.write_text(f'broker.address = mqtt://127.0.0.1:{broker.port}\nstate.directory = {tmp_path}/state\n')
    with open(tmp_path / 'coordinator.log', 'wb') as log:
        child = subprocess.Popen([tools.program('kedge-coordinator'), '--config', config], stdin=subprocess.DEVNULL, stdout=log,
                                 stderr=log)
    one = Kedge(broker.port, tmp_path)
    one.run('get', 'clusters')  # waits for it
    yield one
    child.terminate()
    assert child.wait(LIMIT_S) == 0, (tmp_path / 'coordinator.log').read_text()


@pytest.fixture
def folder(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / 'packages' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / 'packages'


def test_a_folder(kedge, folder):
    first = kedge.imported(folder)
    assert set(first) == KINDS and set(first.values()) == {'created'}
    assert set(kedge.imported(folder).values()) == {'unchanged'}
    web = kedge.view('application', 'web:1.4.0')
    assert [profile['name'] for profile in web['profiles']] == ['small', 'large']
    assert web['profiles'][0]['values']['size'] == len(FILES['shop/values.yaml'])
    secret = {'name': 'page.password', 'type': 'string', 'secret': True, 'mandatory': True}
    assert web['profiles'][0]['parameterTemplates'][1] == secret
    other = kedge.view('application', 'other:1.0.0')
    assert other['profiles'][0]['values']['size'] == len(FILES['other/values.yaml'])  # the file beside it
    assert kedge.view('application', 'db:0.9.1-rc.1')['helmRegistry'] == 'charts'
    registry = kedge.view('registry', 'images')
    assert registry['type'] == 'IMAGE' and 'not shown' not in json.dumps(registry)
    package = kedge.view('package', 'shop:1.2.0')
    assert package['artifacts'] == [{'name': 'icon', 'purpose': 'icon'}]
    assert package['namespaces'][0]['annotations'] == {'note': 'true'}


@pytest.mark.parametrize('form', [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_an_archive(kedge, folder, tmp_path, form):
    path = tmp_path / 'all.tar.gz'
    with tarfile.open(path, 'w:gz', format=form) as archive:
        archive.add(folder, arcname='päckages')
    assert set(kedge.imported(path)) == KINDS


def test_files_one_by_one(kedge, folder):
    files = [one for one in folder.rglob('*') if one.is_file() and one.parent.name != 'other']
    assert set(kedge.imported(*files)) == KINDS - {'application/other'}


def test_a_changed_value_is_an_update(kedge, folder):
    kedge.imported(folder)
    (folder / 'shop' / 'values-db.yaml').write_text('port: 2\n')
    actions = kedge.imported(folder)
    assert [name for name, action in actions.items() if action != 'unchanged'] == ['application/db']


def test_one_bad_document_changes_nothing(kedge, folder):
    path = folder / 'shop' / 'deployment-package.yaml'
    path.write_text(path.read_text().replace('requires: db', 'requires: nobody'))
    told = kedge.run('import', folder, code=1)
    assert 'deployment-package.yaml' in told and 'nobody' in told
    assert kedge.run('get', 'registries', '-o', 'name') == ''


def test_values_that_are_not_there(kedge, folder):
    (folder / 'shop' / 'values-db.yaml').unlink()
    told = kedge.run('import', folder, code=1)
    assert 'applications.yaml' in told and 'values-db.yaml' in told


def test_values_in_several_other_folders(kedge, folder):
    (folder / 'third').mkdir()
    (folder / 'other' / 'application.yaml').rename(folder / 'third' / 'application.yaml')
    told = kedge.run('import', folder, code=1)
    assert 'values.yaml' in told and 'beside' in told
