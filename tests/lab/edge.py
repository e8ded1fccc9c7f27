"""An edge: Podman with a service of its own, and an agent. On the machine everything is where a real one has it."""
import json
import shutil
import urllib.parse

from . import machine, network, tools

SOCKET = '/run/podman/podman.sock'

_CONTAINERS_CONF = """[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
network_cmd_path = ""
image_copy_tmp_dir = "{tmp}"
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
oom_score_adj = 0
log_driver = "k8s-file"
[network]
network_backend = "netavark"
"""

_REGISTRIES_CONF = """[[registry]]
location = "{registry}"
insecure = true
"""


class Edge(machine.Machine):
    def __init__(self, run, site, name, number):
        super().__init__(run, name, f'{network.PREFIX}.{number}')
        self.site = site
        self.link = name
        self.containers = self.dir / 'containers'
        for folder in ('containers', 'etc-containers', 'tmp', 'agent'):
            (self.dir / folder).mkdir(exist_ok=True)
        self.mounts = {'/var/lib/containers': self.containers, '/etc/containers': self.dir / 'etc-containers'}
        self._configure_podman()

    def _configure_podman(self):
        folder = self.dir / 'etc-containers'
        (folder / 'containers.conf').write_text(_CONTAINERS_CONF.format(tmp=self.dir / 'tmp'))
        (folder / 'registries.conf').write_text(_REGISTRIES_CONF.format(registry=self.site.registry.host))
        (folder / 'policy.json').write_text(json.dumps({'default': [{'type': 'insecureAcceptAnything'}]}))

    def trust(self, registry, authority):
        """Podman accepts the registry's certificate."""
        folder = self.dir / 'etc-containers' / 'certs.d' / registry
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(authority, folder / 'ca.crt')

    def begin(self):
        """The machine and its Podman."""
        network.add_link(self.site.netns.name, self.netns.name, self.link, self.address)
        self.boot()
        self.start_podman()

    # ---- Podman ------------------------------------------------------------------------------------------------------------
    def start_podman(self):
        self.path('/run/podman').mkdir(exist_ok=True)
        self.start('podman', ['podman', 'system', 'service', '--time=0', f'unix://{SOCKET}'],
                   env={'TMPDIR': str(self.dir / 'tmp'), 'HOME': str(self.dir)})

    def podman_ready(self):
        process = self.processes['podman']

        def answers():
            process.must_live()
            return self.podman('GET', '/libpod/_ping').status == 200
        tools.wait_for(answers, f'Podman of {self.name}', logs=[process.log])

    def podman(self, method, path, body=None, **query):
        """A request to the Podman service: path below the version."""
        if query:
            path += '?' + urllib.parse.urlencode(query)
        data = None if body is None else json.dumps(body).encode()
        return tools.exchange(tools.UnixConnection(self.path(SOCKET)), method, '/v4.3.1' + path, data,
                              {'Content-Type': 'application/json'})

    def containers_now(self, **labels):
        """What `podman ps --all` knows, as libpod's list has it."""
        filters = {'label': [f'{key}={value}' for key, value in labels.items()]} if labels else {}
        reply = self.podman('GET', '/libpod/containers/json', all='true', filters=json.dumps(filters))
        if reply.status != 200:
            raise tools.Failure(f'{self.name}: list of containers: {reply.status} {reply.text}')
        return [one for one in reply.json() or [] if not one.get('IsInfra')]

    def inspect(self, ident):
        return self.podman('GET', f'/libpod/containers/{ident}/json').json()

    # ---- link --------------------------------------------------------------------------------------------------------------
    def cut_link(self):
        network.set_link(self.site.netns.name, self.link, False)

    def restore_link(self):
        network.set_link(self.site.netns.name, self.link, True)

    def wipe(self):
        """Podman as new, apart from its images."""
        self.command('sh', '-c', 'podman rm --all --force --time 0; podman pod rm --all --force; podman volume prune --force; '
                     'podman network prune --force')

    # ---- end ---------------------------------------------------------------------------------------------------------------
    def _forget_network(self):
        """What a kernel forgets without power: bridges of containers, and rules that lead to them. The namespace is still there."""
        tools.command(['nsenter', f'--net={self.netns}', 'sh', '-c', 'for table in nat filter; do iptables -t $table -F; '
                       'iptables -t $table -X; done; ip -o link show type bridge | cut -d: -f2 | xargs -r -n1 ip link delete'])

    def reboot(self):
        """A power cut and a start; Podman's service is up again, an agent is not."""
        self.power_off()
        self._forget_network()
        self.boot()
        self.start_podman()
        self.podman_ready()
