"""Charts and a deployment package in the catalog's YAML format.

`web` is fresh from `helm create`, with one ConfigMap added; `caller` fetches the page of `web` by its service name, again and
again, and serves what it got. Both have a ConfigMap with the name `settings`, and neither may see the other's."""
import contextlib
import pathlib
import shutil
import threading

from . import tools

PORT = 8080  # of both containers
NODE_PORT = 30080  # where an edge shows the caller's page

_SETTINGS = """apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data:
  greeting: {greeting}
"""

# `timeout`, because wget's own -T ends busybox-static by a segmentation fault.
_CALLER = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
  labels: {app: {{ .Release.Name }}}
spec:
  replicas: 1
  selector:
    matchLabels: {app: {{ .Release.Name }}}
  template:
    metadata:
      labels: {app: {{ .Release.Name }}}
    spec:
      containers:
        - name: caller
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
          command: ["/bin/sh", "-c"]
          args:
            - |
              while :; do
                if timeout 2 wget -q -O /tmp/got "http://$TARGET:{{ .Values.port }}/"; then
                  { printf '%s: ' "$GREETING"; cat /tmp/got; } > /tmp/page
                  mv /tmp/page /www/index.html
                fi
                sleep 0.1
              done &
              echo 'nothing yet' > /www/index.html
              exec httpd -f -p {{ .Values.port }} -h /www
          env:
            - name: TARGET
              value: {{ .Values.target | quote }}
            - name: GREETING
              valueFrom: {configMapKeyRef: {name: settings, key: greeting}}
          ports:
            - {name: http, containerPort: {{ .Values.port }}}
"""

_CALLER_SERVICE = """apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
spec:
  type: NodePort
  selector: {app: {{ .Release.Name }}}
  ports:
    - {name: http, port: {{ .Values.port }}, targetPort: http, nodePort: {{ .Values.nodePort }}}
"""


class Charts:
    """Chart sources in a folder, packaged and pushed by helm."""

    def __init__(self, folder, image):
        self.dir, self.image = pathlib.Path(folder), image
        self.home = self.dir / 'helm'
        self.home.mkdir(parents=True, exist_ok=True)
        self.lock = threading.Lock()

    def env(self):
        return {'HELM_CACHE_HOME': str(self.home), 'HELM_CONFIG_HOME': str(self.home), 'HELM_DATA_HOME': str(self.home),
                'HOME': str(self.home), 'PATH': '/usr/sbin:/usr/bin:/sbin:/bin'}

    def helm(self, *words, prefix=(), **options):
        return tools.command([*prefix, tools.helm(), *words], env=self.env(), **options)

    def create_web(self):
        folder = self.dir / 'web'
        with self.lock:
            if not folder.exists():
                self.helm('create', 'web', cwd=self.dir)
                (folder / 'templates' / 'settings.yaml').write_text(_SETTINGS.format(greeting='web'))
        return folder

    def create_caller(self):
        folder = self.dir / 'caller'
        (folder / 'templates').mkdir(parents=True, exist_ok=True)
        (folder / 'Chart.yaml').write_text('apiVersion: v2\nname: caller\nversion: 0.0.0\nappVersion: v0\n')
        (folder / 'values.yaml').write_text(f'image: {{repository: {self.image}, tag: ""}}\nport: {PORT}\nnodePort: {NODE_PORT}\n'
                                            f'target: web\n')
        for name, text in {'deployment': _CALLER, 'service': _CALLER_SERVICE,
                           'settings': _SETTINGS.format(greeting='caller got')}.items():
            (folder / 'templates' / f'{name}.yaml').write_text(text)
        return folder

    def create(self, name, templates, values='', version='0.1.0'):
        """Any other chart: {file name: template}."""
        folder = self.dir / name
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(folder)
        (folder / 'templates').mkdir(parents=True)
        (folder / 'Chart.yaml').write_text(f'apiVersion: v2\nname: {name}\nversion: {version}\nappVersion: v1\n')
        (folder / 'values.yaml').write_text(values)
        for file, text in templates.items():
            (folder / 'templates' / file).write_text(text)
        return folder

    def package(self, source, version, app_version):
        self.helm('package', source, '--version', version, '--app-version', app_version, '--destination', self.dir)
        return self.dir / f'{source.name}-{version}.tgz'


def web_values(image):
    """What somebody who takes `helm create` as it is has to say: the image and the port."""
    return f'image:\n  repository: {image}\nservice:\n  port: {PORT}\n'


_HEAD = 'schemaVersion: "0.1"\n$schema: "https://schema.intel.com/catalog.orchestrator/0.1/schema"\n\n'


def registry_yaml(name, url):
    return f'specSchema: Registry\n{_HEAD}name: {name}\ndescription: "Charts of the laboratory"\ntype: HELM\nrootUrl: "{url}"\n'


def application_yaml(name, version, registry, chart, chart_version, values_file):
    return (f'specSchema: Application\n{_HEAD}name: {name}\nversion: {version}\nhelmRegistry: {registry}\nchartName: {chart}\n'
            f'chartVersion: {chart_version}\ndefaultProfile: default\nprofiles:\n  - name: default\n'
            f'    valuesFileName: {values_file}\n')


def package_yaml(name, version, applications, namespaces, dependencies=()):
    """`applications`: {name: version}; `namespaces`: {name: namespace}; `dependencies`: (name, requires) pairs."""
    lines = [f'specSchema: DeploymentPackage\n{_HEAD}name: {name}\nversion: {version}\ndescription: "Made by the laboratory"',
             'applications:']
    lines += [f'  - name: {app}\n    version: {app_version}' for app, app_version in applications.items()]
    if dependencies:
        lines += ['applicationDependencies:']
        lines += [f'  - name: {app}\n    requires: {other}' for app, other in dependencies]
    lines += ['defaultProfile: default', 'deploymentProfiles:', '  - name: default', '    applicationProfiles:']
    lines += [f'      - application: {app}\n        profile: default' for app in applications]
    lines += ['defaultNamespaces:'] + [f'  {app}: {namespaces[app]}' for app in applications]
    return '\n'.join(lines) + '\n'


class App:
    """An application of a package: its chart in the registry, and its profile's values."""

    def __init__(self, chart, chart_version='0.1.0', values='{}\n', version=None, namespace='default'):
        self.chart, self.chart_version, self.values, self.namespace = chart, chart_version, values, namespace
        self.version = version or chart_version


def write_any(folder, url, name, version, apps, dependencies=()):
    """A package of any applications: {name: App}."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'registry.yaml').write_text(registry_yaml('lab', url))
    for key, app in apps.items():
        (folder / f'values-{key}.yaml').write_text(app.values)
        (folder / f'{key}.yaml').write_text(application_yaml(key, app.version, 'lab', app.chart, app.chart_version,
                                                             f'values-{key}.yaml'))
    versions = {key: app.version for key, app in apps.items()}
    namespaces = {key: app.namespace for key, app in apps.items()}
    (folder / 'package.yaml').write_text(package_yaml(name, version, versions, namespaces, dependencies))
    return folder


def write_package(folder, url, image, name='shop'):
    """The demo's package: `web` and `caller` as 1.0.0 and 1.1.0, each with its own versions of the charts."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'registry.yaml').write_text(registry_yaml('lab', url))
    (folder / 'values-web.yaml').write_text(web_values(image))
    (folder / 'values-caller.yaml').write_text('{}\n')
    for package, chart in (('1.0.0', '0.1.0'), ('1.1.0', '0.2.0')):
        for app in ('web', 'caller'):
            (folder / f'{app}-{chart}.yaml').write_text(application_yaml(app, chart, 'lab', app, chart, f'values-{app}.yaml'))
        (folder / f'package-{package}.yaml').write_text(
            package_yaml(name, package, {'web': chart, 'caller': chart}, {'web': name, 'caller': name}, [('caller', 'web')]))
    return folder
