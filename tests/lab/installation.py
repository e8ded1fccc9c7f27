"""Kedge on the machines of the laboratory: a coordinator, an agent on each edge, an operator; with empty stores at first."""
import shutil

from . import charts, daemons, tools

CLUSTER = """specSchema: Cluster
schemaVersion: "0.1"
name: {name}
labels: {{{labels}}}
---
"""


class Installation:
    def __init__(self, lab, edges=None):
        self.lab = lab
        self.edges = list(lab.edges.values()) if edges is None else edges
        self.coordinator = daemons.Coordinator(lab.site)
        self.agents = {edge.name: daemons.Agent(edge) for edge in self.edges}
        self.kedge = daemons.Operator(lab.site)
        self.limit_s = tools.LIMIT_S  # of everything that is waited for

    # ---- life --------------------------------------------------------------------------------------------------------------
    def daemons(self):
        return [self.coordinator, *self.agents.values()]

    def start(self):
        tools.together([one.start for one in self.daemons()])

    def begin(self, labels='chain: demo'):
        """From nothing: stores, broker and Podman are empty, and the clusters are known and online."""
        self.wipe()
        self.start()
        self.apply_clusters(labels)
        return self

    def wipe(self):
        for one in self.daemons():
            shutil.rmtree(one.state, ignore_errors=True)
        tools.together([lambda: self.lab.site.broker.restart(forget=True), *[edge.wipe for edge in self.edges]])

    def stop(self):
        """In order; every daemon must end with 0."""
        ended = {one.process.name: one.stop() for one in reversed(self.daemons()) if one.process and one.process.alive()}
        wrong = {name: code for name, code in ended.items() if code != 0}
        if wrong:
            raise tools.Failure(tools.with_logs(f'these did not stop well: {wrong}', self.logs()))

    def end(self):
        """After the tests: nothing runs any more, in whatever state it is, and the edges are empty for others."""
        for one in self.daemons():
            if one.process and one.process.alive():
                one.kill()
        tools.together([edge.wipe for edge in self.edges])

    def logs(self):
        return [one.process.log for one in self.daemons() if one.process]

    # ---- what operators do -------------------------------------------------------------------------------------------------
    def apply(self, text):
        return self.kedge.text('apply', '-f', '-', input=text)

    def apply_clusters(self, labels='chain: demo'):
        self.apply(''.join(CLUSTER.format(name=agent.cluster, labels=labels) for agent in self.agents.values()))
        self.until_clusters({agent.cluster: 'online' for agent in self.agents.values()})

    def import_shop(self):
        self.kedge.text('import', self.lab.site.dir / 'package')

    def import_any(self, name, version, apps, dependencies=()):
        """A package of charts that are in the registry."""
        folder = charts.write_any(self.lab.site.dir / 'packages' / f'{name}-{version}', self.lab.charts_url(), name, version, apps,
                                  dependencies)
        self.kedge.text('import', folder)

    def deployment(self, name):
        return self.kedge.json('get', 'deployment', name)

    def cluster_states(self):
        return {item['name']: item['status']['state'] for item in self.kedge.json('get', 'clusters')['items']}

    # ---- waiting -----------------------------------------------------------------------------------------------------------
    def wait_for(self, predicate, what):
        return tools.wait_for(predicate, what, self.limit_s, every_s=0.05, logs=self.logs())

    def until_clusters(self, wanted):
        self.wait_for(lambda: wanted.items() <= self.cluster_states().items(), f'clusters: {wanted}')

    def until_state(self, name, state='running', running=None):
        """Until the deployment's state is that, on `running` clusters (all of this installation)."""
        def reached():
            status = self.deployment(name)['status']
            count = len(self.edges) if running is None else running
            good = status['state'] == state and (state != 'running' or status['summary']['running'] == count)
            return status if good else self._not_yet(status)
        return self.wait_for(reached, f'{name} {state}')

    @staticmethod
    def _not_yet(status):
        raise tools.Failure(f'it is {status}')

    def until_gone(self, name):
        def gone():
            return all(item['name'] != name for item in self.kedge.json('get', 'deployments')['items'])
        self.wait_for(gone, f'the end of {name}')
