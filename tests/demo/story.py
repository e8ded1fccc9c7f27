"""The demo as a list of steps, each of which can be taken by itself: the demo shows them, a system test kills things in between."""
import hashlib

from tests.lab import charts, daemons, lab, tools

NAME, NAMESPACE = 'shop', 'shop'
LABEL = 'chain=demo'
EXIT_NO_CONNECTION, EXIT_TIMEOUT = 3, 4

CLUSTER = """specSchema: Cluster
schemaVersion: "0.1"
name: {name}
labels:
  chain: demo
  lane: "{lane}"
---
"""


def release_of(deployment, application):
    """Helm's release name of an application (docs/architecture.md): what `helm create` makes the name of its Service."""
    both = f'{deployment}-{application}'
    return f'{both[:44]}-{hashlib.sha256(f"{deployment}/{application}".encode()).hexdigest()[:8]}'


class Story:
    def __init__(self, tell=lambda text: None):
        self.tell = tell  # one line about what is being seen
        self.lab = lab.Lab()
        self.coordinator = self.kedge = self.package = None
        self.agents = {}
        self.before_cut = {}

    def steps(self):
        """(what, function) in order."""
        return [
            (f'two edges with Podman, a registry and a broker start (run {self.lab.run.ident})', self.start_machines),
            ('an image and two charts are made and pushed, two versions of each', self.publish),
            ('the coordinator and the agents start', self.start_daemons),
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

    # ---- what is not ours --------------------------------------------------------------------------------------------------
    def start_machines(self):
        self.lab.begin(edges=2)

    def publish(self):
        self.package = self.lab.publish()

    # ---- ours --------------------------------------------------------------------------------------------------------------
    def start_daemons(self):
        self.coordinator = daemons.Coordinator(self.lab.site)
        self.agents = {edge.name: daemons.Agent(edge) for edge in self.edges()}
        self.kedge = daemons.Operator(self.lab.site)
        tools.together([self.coordinator.start, *[agent.start for agent in self.agents.values()]])

    def apply_clusters(self):
        text = ''.join(CLUSTER.format(name=edge.name, lane=number) for number, edge in enumerate(self.edges(), 1))
        file = self.lab.site.dir / 'clusters.yaml'
        file.write_text(text)
        self.ask('apply', '-f', file)
        self.until_states({edge.name: 'online' for edge in self.edges()})

    def import_package(self):
        self.tell(self.ask('import', self.package).strip())

    def deploy(self):
        target = f'http://{release_of(NAME, "web")}:{charts.PORT}/'
        self.ask('deploy', f'{NAME}:1.0.0', '--name', NAME, '-l', LABEL, '--set', f'caller.target={target}', once='exists')
        self.until_running()
        self.tell(self.ask('status', NAME))

    def upgrade(self):
        self.ask('upgrade', NAME, '1.1.0')
        self.until_running('1.1.0')
        self.tell(self.ask('status', NAME))

    def uninstall(self):
        self.ask('delete', 'deployment', NAME, once='not-found')
        for edge in self.edges():
            tools.wait_for(lambda edge=edge: edge.containers_now() == [], f'the end of all containers of {edge.name}',
                           logs=self.logs())
        tools.wait_for(lambda: not self.kedge.json('get', 'deployments')['items'], 'the end of the deployment', logs=self.logs())

    # ---- pages -------------------------------------------------------------------------------------------------------------
    def page(self, edge, machine):
        """What `caller` got from `web`, by its NodePort."""
        return machine.get(f'http://{edge.address}:{charts.NODE_PORT}/')

    def fetch(self, tag):
        for edge in self.edges():
            want = f'caller got: page {tag}\n'
            tools.wait_for(lambda edge=edge, want=want: self.page(edge, self.lab.site) == want,
                           f'{want.strip()!r} from {edge.name}', logs=self.logs())
            self.tell(f'{edge.name}: {self.page(edge, self.lab.site).strip()}')

    def footprint(self, edge):
        """What must not change while the link is down: the agent's process and the containers with their processes."""
        return {'agent': self.agents[edge.name].process.pid,
                'containers': sorted((row['Id'], row['Pid']) for row in edge.containers_now())}

    # ---- the link ----------------------------------------------------------------------------------------------------------
    def cut(self):
        edge = self.lab.edges['edge-1']
        before, page = self.footprint(edge), self.page(edge, edge)
        edge.cut_link()
        self.before_cut = {'footprint': before, 'page': page}
        self.until_states({'edge-1': 'offline', 'edge-2': 'online'})
        self.same_as_before_cut(edge)
        shown = tools.wait_for(lambda: (lambda text: text if 'running (1 offline)' in text else None)(self.ask('status', NAME)),
                               'running (1 offline)', logs=self.logs())
        self.tell(shown)

    def restore(self):
        edge = self.lab.edges['edge-1']
        edge.restore_link()
        self.until_states({'edge-1': 'online', 'edge-2': 'online'})
        self.same_as_before_cut(edge)
        self.fetch('v2')

    def same_as_before_cut(self, edge):
        if self.page(edge, edge) != self.before_cut['page']:
            raise tools.Failure(f'{edge.name}: its page is another one: {self.page(edge, edge)!r}')
        before, now = self.before_cut['footprint'], self.footprint(edge)
        if now != before:
            raise tools.Failure(f'{edge.name}: not the same processes: {before} before, now {now}')
        self.tell(f'{edge.name}: same agent, same containers, and it answers: {self.page(edge, edge).strip()}')

    # ---- asking ------------------------------------------------------------------------------------------------------------
    def ask(self, *words, once=None):
        """One command of the operator. `once` is the refusal that says that an earlier try got through."""
        return self.kedge.text(*words)

    def until_states(self, wanted):
        def reached():
            items = self.kedge.json('get', 'clusters')['items']
            return {item['name']: item['status']['state'] for item in items} == wanted
        tools.wait_for(reached, f'clusters: {wanted}', every_s=0.05, logs=self.logs())

    def until_running(self, version=None):
        seen = []

        def reached():
            view = self.kedge.json('get', 'deployment', NAME)
            line = summary_line(view)
            if not seen or seen[-1] != line:
                seen.append(line)
                self.tell(line)
            status = view['status']
            return (status['state'] == 'running' and status['summary']['running'] == len(self.edges())
                    and version in (None, view['package']['version']))
        tools.wait_for(reached, f'{NAME} running everywhere', every_s=0.05, logs=self.logs())

    def logs(self):
        daemon_logs = [one.process.log for one in [self.coordinator, *self.agents.values()] if one and one.process]
        return [*daemon_logs]

    def close(self):
        self.lab.close()


def summary_line(view):
    status = view['status']
    counts = ', '.join(f'{count} {word}' for word, count in status['summary'].items() if count and word != 'total')
    reason = status.get('waiting') or status.get('message') or ''
    return f'{view["name"]} {view["package"]["version"]}: {status["state"]} ({counts or "no clusters yet"}) {reason}'.rstrip()
