"""Our own programs on the machines of the laboratory: kedge-coordinator, kedge-agent, and `kedge` as an operator uses it."""
import json
import os
import signal

from . import notify, tools

FAST = {'hello.interval': '5s', 'broker.keep_alive': '5s'}  # the times of a demo (docs/protocol.md, "Hello")


def settings_text(rows, sections=()):
    """`key = value` lines and `[name label]` sections."""
    lines = [f'{key} = {value}' for key, value in rows.items()]
    for title, more in sections:
        lines += ['', f'[{title}]', *[f'{key} = {value}' for key, value in more.items()]]
    return '\n'.join(lines) + '\n'


class Daemon:
    """One of our daemons on its machine. `settings` may be changed while it is stopped (or before reload)."""
    name = None

    def __init__(self, machine):
        self.machine = machine
        self.dir = machine.dir / self.name
        self.dir.mkdir(exist_ok=True)
        self.config = self.dir / f'{self.name}.conf'
        self.settings, self.sections = {}, []
        self.notify = notify.Notify(machine, self.name)
        self.process = None
        self.environment = {}

    def configure(self):
        self.config.write_text(settings_text(self.settings, self.sections))

    def argv(self, *words):
        return [tools.program(self.name), '--config', self.config, *words]

    def start(self):
        self.configure()
        env = {'TMPDIR': str(self.machine.dir), 'HOME': str(self.machine.dir), **self.notify.env(), **self.environment}
        self.process = self.machine.start(self.name, self.argv(), env=env)
        self.notify.wait('READY=1', self.process)

    def stop(self):
        """As a service manager does; returns the exit code."""
        code = self.process.stop()
        self.notify.close()
        return code

    def kill(self):
        self.process.kill(signal.SIGKILL)
        self.process.wait()

    def restart(self, number=signal.SIGKILL):
        self.process.kill(number)
        self.process.wait()
        self.start()

    def reload(self):
        """SIGHUP, and the end of what it causes."""
        self.configure()
        self.notify.read()
        self.notify.heard = []
        self.process.kill(signal.SIGHUP)
        self.notify.wait('READY=1', self.process)

    def command(self, *words, **options):
        """The same program with other arguments, e.g. --check-config."""
        return self.machine.command(*self.argv(*words), **options)

    def log(self):
        return self.process.log.read_text(errors='replace')


class Coordinator(Daemon):
    name = 'kedge-coordinator'

    def __init__(self, site):
        super().__init__(site)
        self.state = self.dir / 'state'
        self.settings = {'broker.address': site.broker.address(), 'state.directory': self.state,
                         'hello.grace': '2s', 'hello.spread': '1s', **FAST}
        self.sections = [(f'registry {site.registry.host}', {'plain_http': 'yes'})]


class Agent(Daemon):
    name = 'kedge-agent'

    def __init__(self, edge, cluster=None):
        super().__init__(edge)
        site = edge.site
        self.cluster = cluster or edge.name
        self.state = self.dir / 'state'
        self.settings = {'cluster': self.cluster, 'broker.address': site.broker.address(), 'state.directory': self.state,
                         'helm.path': tools.helm(), **FAST}
        self.sections = [(f'registry {site.registry.host}', {'plain_http': 'yes'})]

    def use_tls(self):
        """The broker's other listener, with a certificate of its own."""
        broker = self.machine.site.broker
        cert, key = broker.authority.issue(f'agent-{self.cluster}', f'default/{self.cluster}')
        self.settings.update({'broker.address': broker.address(tls=True), 'broker.ca_file': broker.authority.cert,
                              'broker.cert_file': cert, 'broker.key_file': key})


class CommandFailed(tools.Failure):
    def __init__(self, words, done):
        super().__init__(f'kedge {" ".join(words)}: ended with {done.returncode}\n{done.stdout}{done.stderr}')
        self.code, self.stdout, self.stderr = done.returncode, done.stdout, done.stderr


class Operator:
    """Somebody who types `kedge …` on the site."""

    def __init__(self, site, name='ada'):
        self.site, self.name = site, name
        self.home = site.dir / f'operator-{name}'
        self.home.mkdir(exist_ok=True)

    def own_environment(self):
        return {'HOME': str(self.home), 'KEDGE_BROKER': self.site.broker.address(),
                'KEDGE_OPERATOR': self.name}

    def environment(self):
        return {**os.environ, **self.own_environment()}

    def argv(self, *words):
        return self.site.argv([tools.program('kedge'), *words])

    def run(self, *words, check=True, **options):
        words = [str(word) for word in words]
        done = tools.command(self.argv(*words), check=False, cwd='/', env=self.environment(), **options)
        if check and done.returncode != 0:
            raise CommandFailed(words, done)
        return done

    def text(self, *words, **options):
        return self.run(*words, **options).stdout

    def json(self, *words, **options):
        return json.loads(self.text(*words, '-o', 'json', **options))
