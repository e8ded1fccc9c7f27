"""The demo as a list of steps, each of which can be taken by itself: the demo shows them, a system test kills things in between."""
import hashlib

from tests.lab import charts, installation, tools

NAME = 'shop'
LABEL = 'chain=demo'


def release_of(deployment, application):
    """Helm's release name of an application (docs/architecture.md): what `helm create` makes the name of its Service."""
    both = f'{deployment}-{application}'
    return f'{both[:44]}-{hashlib.sha256(f"{deployment}/{application}".encode()).hexdigest()[:8]}'


def caller_target(deployment=NAME):
    """The name of the Service that `caller` shall call."""
    return f'caller.target={release_of(deployment, "web")}'


class Story:
    def __init__(self, lab, tell=lambda text: None):
        self.lab, self.tell = lab, tell  # tell: some lines about what is being seen
        self.kedge = self.installation = None
        self.before_cut = {}

    def steps(self):
        """(what, function) in order."""
        return [
            (f'two edges with Podman, a registry and a broker start (run {self.lab.run.ident})', lambda: self.lab.begin(edges=2)),
            ('an image and two charts are made and pushed, two versions of each', self.lab.publish),
            ('the coordinator and the agents start', self.start),
            *self.operators_steps(),
        ]

    def operators_steps(self):
        return [
            ('kedge apply: the clusters get their labels', self.apply_clusters),
            ('kedge import: registry, applications and packages', self.import_package),
            (f'kedge deploy {NAME}:1.0.0 to all clusters with {LABEL}', self.deploy),
            ('the page of version 1 is fetched from both edges', lambda: self.fetch('v1')),
            (f'kedge upgrade {NAME} 1.1.0', self.upgrade),
            ('the page of version 2 is fetched from both edges', lambda: self.fetch('v2')),
            ('the link of edge-1 is cut: it goes on by itself', self.cut),
            ('the link is restored', self.restore),
            (f'kedge delete deployment {NAME}', self.uninstall),
        ]

    def edges(self):
        return list(self.lab.edges.values())

    def start(self):
        self.use(installation.Installation(self.lab))
        self.installation.start()

    def use(self, one):
        self.installation, self.kedge = one, one.kedge

    # ---- deployments -------------------------------------------------------------------------------------------------------
    def apply_clusters(self):
        self.installation.apply_clusters()

    def import_package(self):
        self.tell(self.kedge.text('import', self.lab.site.dir / 'package'))

    def deploy(self):
        self.kedge.text('deploy', f'{NAME}:1.0.0', '--name', NAME, '-l', LABEL, '--set', caller_target())
        self.until_running('1.0.0')
        self.tell(self.kedge.text('status', NAME))

    def upgrade(self):
        self.kedge.text('upgrade', NAME, '1.1.0')
        self.until_running('1.1.0')
        self.tell(self.kedge.text('status', NAME))

    def uninstall(self):
        self.kedge.text('delete', 'deployment', NAME)
        self.until_gone()

    def until_gone(self):
        self.installation.until_gone(NAME)
        for edge in self.edges():
            self.wait_for(lambda edge=edge: not edge.containers_now(), f'the end of all containers of {edge.name}')

    # ---- pages -------------------------------------------------------------------------------------------------------------
    def page(self, edge, machine):
        """What `caller` got from `web`, by its NodePort."""
        return machine.get(f'http://{edge.address}:{charts.NODE_PORT}/')

    def fetch(self, tag):
        for edge in self.edges():
            want = f'caller got: page {tag}\n'
            self.wait_for(lambda edge=edge, want=want: self.page(edge, self.lab.site) == want, f'{want.strip()!r} from {edge.name}')
            self.tell(f'{edge.name}: {want}')

    def footprint(self, edge):
        """What must not change while the link is down: the agent's process and the containers with their processes."""
        return {'agent': self.installation.agents[edge.name].process.pid,
                'containers': sorted((row['Id'], row['Pid']) for row in edge.containers_now())}

    # ---- the link ----------------------------------------------------------------------------------------------------------
    def cut(self):
        edge = self.lab.edges['edge-1']
        self.before_cut = {'footprint': self.footprint(edge), 'page': self.page(edge, edge)}
        edge.cut_link()
        self.installation.until_clusters({'edge-1': 'offline', 'edge-2': 'online'})
        self.same_as_before_cut(edge)
        self.tell(self.wait_for(self.one_offline, 'running (1 offline)'))

    def one_offline(self):
        text = self.kedge.text('status', NAME)
        return text if 'running (1 offline)' in text else None

    def restore(self):
        edge = self.lab.edges['edge-1']
        edge.restore_link()
        self.installation.until_clusters({'edge-1': 'online', 'edge-2': 'online'})
        self.same_as_before_cut(edge)
        self.fetch('v2')

    def same_as_before_cut(self, edge):
        page, before, now = self.page(edge, edge), self.before_cut['footprint'], self.footprint(edge)
        if page != self.before_cut['page']:
            raise tools.Failure(f'{edge.name}: its page is another one: {page!r}')
        if now != before:
            raise tools.Failure(f'{edge.name}: not the same processes: {before} before, now {now}')
        self.tell(f'{edge.name}: same agent, same containers, and it answers: {page}')

    # ---- waiting -----------------------------------------------------------------------------------------------------------
    def wait_for(self, predicate, what):
        return self.installation.wait_for(predicate, what)

    def until_running(self, version):
        seen = []

        def reached():
            view = self.kedge.json('get', 'deployment', NAME)
            line = summary_line(view)
            if line not in seen[-1:]:
                seen.append(line)
                self.tell(line)
            status = view['status']
            return (status['state'] == 'running' and status['summary']['running'] == len(self.edges())
                    and view['package']['version'] == version)
        self.wait_for(reached, f'{NAME} {version} running on all edges')


def summary_line(view):
    status = view['status']
    counts = ', '.join(f'{count} {word}' for word, count in status['summary'].items() if count and word != 'total')
    reason = status.get('waiting') or status.get('message') or ''
    return f'{view["name"]} {view["package"]["version"]}: {status["state"]} ({counts or "no clusters yet"}) {reason}'.rstrip()
