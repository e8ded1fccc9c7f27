"""The site: an OCI registry, a broker and the coordinator."""
import base64
import contextlib
import http.client
import signal
import warnings

from . import charts, image, machine, network, tls, tools

REGISTRY_PORT, BROKER_PORT, BROKER_TLS_PORT = 5000, 1883, 8883
PAGE = 'kedge/page'  # the image of both charts


def bcrypt(password):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', DeprecationWarning)
        import crypt  # what docker-registry understands, and nothing else on a fresh computer makes
    return crypt.crypt(password, crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16))


class Registry:
    """docker-registry, with or without a password, with or without TLS."""

    def __init__(self, site, port=REGISTRY_PORT, name='registry', user=None, password=None, authority=None):
        self.site, self.port, self.name, self.user, self.password = site, port, name, user, password
        self.authority = authority
        self.host = f'{site.address}:{port}'
        self.process = None

    def start(self):
        folder = self.site.dir / self.name
        folder.mkdir(exist_ok=True)
        config = folder / 'config.yml'
        text = (f'version: 0.1\nlog: {{level: warn, accesslog: {{disabled: false}}}}\n'
                f'storage:\n  filesystem: {{rootdirectory: {folder}/data}}\n  delete: {{enabled: true}}\n'
                f'http:\n  addr: {self.host}\n  secret: laboratory\n')
        if self.authority:
            cert, key = self.authority.issue(self.name, self.name, [self.site.address])
            text += f'  tls: {{certificate: {cert}, key: {key}}}\n'
        if self.user:
            (folder / 'htpasswd').write_text(f'{self.user}:{bcrypt(self.password)}\n')
            text += f'auth:\n  htpasswd: {{realm: laboratory, path: {folder}/htpasswd}}\n'
        config.write_text(text)
        self.process = self.site.start(self.name, ['docker-registry', 'serve', config], env={'OTEL_TRACES_EXPORTER': 'none'})

    def ready(self):
        def answers():
            self.process.must_live()
            return self.request('GET', '/v2/').status == 200
        tools.wait_for(answers, 'the registry', logs=[self.process.log])

    def request(self, method, path, body=None, headers=None):
        headers = dict(headers or {})
        if self.user:
            headers['Authorization'] = 'Basic ' + base64.b64encode(f'{self.user}:{self.password}'.encode()).decode()
        scheme = 'https' if self.authority else 'http'
        return self.site.http(f'{scheme}://{self.host}{path}', method, body=body, headers=headers,
                              ca_file=self.authority and self.authority.cert)

    def push_image(self, name, tag, one):
        image.push(self, name, tag, one)

    def push_chart(self, chart_files, archive, folder='charts'):
        trust = ['--ca-file', self.authority.cert] if self.authority else ['--plain-http']
        if self.user:
            chart_files.helm('registry', 'login', self.host, *trust, '-u', self.user, '--password-stdin',
                             prefix=self.site.argv([]), input=self.password)
        chart_files.helm('push', archive, f'oci://{self.host}/{folder}', *trust, prefix=self.site.argv([]), cwd='/')


class Broker:
    """mosquitto as Kedge's documents advise it; with TLS, a second listener that wants client certificates."""

    def __init__(self, site, authority=None):
        self.site, self.authority = site, authority
        self.host, self.port = site.address, BROKER_PORT
        self.dir = site.dir / 'mosquitto'
        self.process = None
        self.config = None

    def address(self, tls=False):
        return f'mqtts://{self.host}:{BROKER_TLS_PORT}' if tls else f'mqtt://{self.host}:{self.port}'

    def configure(self):
        folder = self.dir
        folder.mkdir(exist_ok=True)
        lines = ['user root', 'max_queued_messages 1000000000', 'max_queued_bytes 67108864', 'max_inflight_messages 1000',
                 'max_packet_size 1048576', 'set_tcp_nodelay true', 'persistence true', f'persistence_location {folder}/',
                 'autosave_interval 1800', 'log_dest stderr', 'log_type error', 'log_type warning', 'log_type notice',
                 'connection_messages true', 'allow_anonymous true', f'listener {self.port} {self.host}']
        if self.authority:
            cert, key = self.authority.issue('broker', 'broker', [self.host])
            lines += [f'listener {BROKER_TLS_PORT} {self.host}', f'cafile {self.authority.cert}', f'certfile {cert}',
                      f'keyfile {key}', 'require_certificate true', 'use_identity_as_username true']
        self.config = folder / 'mosquitto.conf'
        self.config.write_text('\n'.join(lines) + '\n')

    def start(self):
        if self.config is None:
            self.configure()
        self.process = self.site.start('mosquitto', ['mosquitto', '-c', self.config])

    def ready(self):
        def listens():
            self.process.must_live()
            with self.site.network(), contextlib.closing(http.client.HTTPConnection(self.host, self.port, timeout=5)) as one:
                one.connect()
            return True
        tools.wait_for(listens, 'the broker', logs=[self.process.log])

    def kill(self, number=signal.SIGKILL):
        self.process.kill(number)
        self.process.wait()

    def forget(self):
        """Stopped: everything that it kept on disk."""
        for path in self.dir.glob('*.db*'):
            path.unlink()

    def restart(self, number=signal.SIGKILL, forget=False):
        self.kill(number)
        if forget:
            self.forget()
        self.start()
        self.ready()


class Site(machine.Machine):
    def __init__(self, run):
        super().__init__(run, 'site', network.SITE)
        self.registry = Registry(self)
        self.broker = None

    def begin(self, with_tls=False):
        """Registry and broker start together."""
        network.make_site(self.netns.name)
        self.boot()
        authority = tls.Authority(self.run.dir / 'tls') if with_tls else None
        self.broker = Broker(self, authority)
        self.registry.start()
        self.broker.start()

    def ready(self):
        self.registry.ready()
        self.broker.ready()

    def page_image(self):
        return f'{self.registry.host}/{PAGE}'

    def push_pages(self):
        for tag in ('v1', 'v2'):
            self.registry.push_image(PAGE, tag, image.Image(f'page {tag}\n'))

    def push_charts(self, chart_files):
        """web and caller as 0.1.0 (image v1) and 0.2.0 (image v2)."""
        def one(create, version, tag):
            self.registry.push_chart(chart_files, chart_files.package(create(), version, tag))
        todo = [(create, version, tag) for create in (chart_files.create_web, chart_files.create_caller)
                for version, tag in (('0.1.0', 'v1'), ('0.2.0', 'v2'))]
        tools.together([lambda row=row: one(*row) for row in todo])

    def charts(self):
        return charts.Charts(self.dir / 'charts', self.page_image())
