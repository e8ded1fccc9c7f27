"""Figures (`make bench`): memory of the resident programs, time from `kedge deploy` to the page, time to readiness.

Each figure is the median of ROUNDS, taken in turn with its baseline in the same run, and shown as absolute value and ratio. For
memory, each program gets copies of its libraries, so that no page of them is shared with anything else on this machine."""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.lab import charts, installation, kernel, site, space, tools  # noqa: E402
from tests.lab import lab as laboratory  # noqa: E402

ROUNDS = int(os.environ.get('ROUNDS', '10'))
QUIET_S = 2  # a daemon is idle when it used no processor time and had no child for so long
KEPT_SHARED = ('libc.so', 'libm.so', 'ld-linux', 'linux-vdso')  # everything on any machine maps these
KEDGE_PORT, HAND_PORT = 30090, 30091

_DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  replicas: 1
  selector:
    matchLabels: {app: {{ .Release.Name }}}
  template:
    metadata:
      labels: {app: {{ .Release.Name }}}
    spec:
      containers:
        - name: page
          image: {{ .Values.image }}
          ports:
            - {containerPort: 8080, hostPort: {{ .Values.port }}}
"""


class Figure:
    def __init__(self, name, unit, bound, ratio=None, plus=0.0):
        """`bound` is what it is compared with, in words; `ratio` and `plus` make the limit out of the baseline."""
        self.name, self.unit, self.bound, self.ratio, self.plus = name, unit, bound, ratio, plus
        self.ours, self.baseline = [], []

    def limit(self):
        return self.plus if self.ratio is None else statistics.median(self.baseline) * self.ratio + self.plus

    def row(self):
        ours = statistics.median(self.ours)
        base = statistics.median(self.baseline) if self.baseline else None
        shown = [f'{ours:8.2f} {self.unit}', f'{base:8.2f} {self.unit}' if base else '', f'{ours / base:5.2f} x' if base else '']
        verdict = '' if not self.bound else 'kept' if ours <= self.limit() else 'MISSED'
        return [self.name, *shown, self.bound, verdict]


def show(figures):
    rows = [['', 'ours', 'baseline', 'ratio', 'limit', ''], *[figure.row() for figure in figures]]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print('  '.join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


# ---- memory ----------------------------------------------------------------------------------------------------------------

def copied_libraries(folder, program):
    """A folder with copies of what the program is linked with."""
    folder.mkdir(parents=True, exist_ok=True)
    for line in tools.command(['ldd', program]).stdout.splitlines():
        match = re.match(r'\s*(\S+) => (/\S+)', line)
        if match and not match.group(1).startswith(KEPT_SHARED):
            shutil.copy(match.group(2), folder / match.group(1))
            with open(folder / match.group(1), 'rb') as copy:
                os.fsync(copy.fileno())  # pages that are not on the disk yet would count as dirty
    return str(folder)


def children_of(pid):
    found = []
    for task in pathlib.Path(f'/proc/{pid}/task').iterdir():
        for child in (task / 'children').read_text().split():
            found += [int(child), *children_of(int(child))]
    return found


def until_idle(pid):
    def sign():
        words = pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
        return children_of(pid), words[11], words[12]
    last, since = sign(), time.monotonic()
    until = since + tools.LIMIT_S
    while time.monotonic() - since < QUIET_S:
        time.sleep(0.1)
        now = sign()
        if now != last or now[0]:
            last, since = now, time.monotonic()
        if time.monotonic() > until:
            raise tools.Failure(f'process {pid} does not become idle: {now}')


def memory_mb(pids):
    """(PSS, private dirty) of these processes together."""
    sums = {'Pss': 0, 'Private_Dirty': 0}
    for pid in pids:
        for line in pathlib.Path(f'/proc/{pid}/smaps_rollup').read_text().splitlines():
            key, _, value = line.partition(':')
            if key in sums:
                sums[key] += int(value.split()[0])
    return sums['Pss'] / 1024, sums['Private_Dirty'] / 1024


class Floor:
    """tests/bench/floor.c on the edge, connected to the same broker in the same way as the agent."""

    def __init__(self, edge):
        self.edge, self.program = edge, tools.build() / 'tests' / 'bench' / 'floor'
        self.libraries = copied_libraries(edge.dir / 'libraries-floor', self.program)
        self.broker = edge.site.broker
        self.cert, self.key = self.broker.authority.issue('floor', 'floor')

    def measure(self):
        store = pathlib.Path(tempfile.mkdtemp(dir=self.edge.dir))
        argv = [self.program, self.broker.host, str(site.BROKER_TLS_PORT), self.broker.authority.cert, self.cert, self.key, store]
        process = self.edge.start('floor', argv, env={'LD_LIBRARY_PATH': self.libraries})
        try:
            tools.wait_for(lambda: process.must_live() and 'connected' in process.log.read_text(), 'the floor', logs=[process.log])
            until_idle(process.pid)
            return memory_mb([process.pid])
        finally:
            process.stop()
            process.log.unlink()


def measure_memory(one, edge):
    agent, floor = one.agents[edge.name], Floor(edge)
    agent.environment['LD_LIBRARY_PATH'] = copied_libraries(edge.dir / 'libraries-agent', tools.program('kedge-agent'))
    pss = Figure('agent, one application: PSS', 'MB', '1.15 x', 1.15)
    dirty = Figure('agent, one application: private dirty', 'MB', '1.25 x', 1.25)
    podman = Figure("Podman's service beside it: PSS", 'MB', '')
    for _ in range(ROUNDS):
        agent.stop()
        for figure, value in zip((pss, dirty), floor.measure()):
            figure.baseline.append(value)
        agent.start()
        one.until_clusters({agent.cluster: 'online'})
        one.until_state('bench', running=1)
        until_idle(agent.process.pid)
        for figure, value in zip((pss, dirty), memory_mb([agent.process.pid, *children_of(agent.process.pid)])):
            figure.ours.append(value)
        podman.ours.append(memory_mb([edge.processes['podman'].pid])[0])
    return [pss, dirty, podman]


def measure_coordinator(one):
    figure = Figure('coordinator, two clusters, idle: PSS', 'MB', '14 MB', plus=14)
    for _ in range(ROUNDS):
        one.coordinator.restart(signal.SIGTERM)
        one.until_clusters({agent.cluster: 'online' for agent in one.agents.values()})
        until_idle(one.coordinator.process.pid)
        figure.ours.append(memory_mb([one.coordinator.process.pid])[0])
    return [figure]


# ---- time to the page ------------------------------------------------------------------------------------------------------

def until_page(edge, port, begin):
    """Milliseconds from `begin` until the edge answers with a page."""
    until = begin + tools.LIMIT_S
    while time.monotonic() < until:
        try:
            edge.get(f'http://{edge.address}:{port}/')
            return (time.monotonic() - begin) * 1000
        except (OSError, tools.Failure):
            time.sleep(0.001)
    raise tools.Failure(f'no page on {edge.name}:{port} after {tools.LIMIT_S} s')


def deploy(one, edge, version):
    """Milliseconds to the page and to the acknowledged status; everything is removed afterwards."""
    words = ['deploy', f'bench:{version}', '--name', 'bench', '--cluster', edge.name, '--wait']
    begin = time.monotonic()
    with subprocess.Popen(one.kedge.argv(*words), cwd='/', env=one.kedge.environment(), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True) as command:
        page = until_page(edge, KEDGE_PORT, begin)
        output, _ = command.communicate(timeout=tools.LIMIT_S)
        status = (time.monotonic() - begin) * 1000
    if command.returncode != 0:
        raise tools.Failure(f'kedge {" ".join(words)}: {output}')
    return page, status


def remove(one, edge):
    one.kedge.text('delete', 'deployment', 'bench')
    one.until_gone('bench')
    one.wait_for(lambda: not edge.containers_now(), f'{edge.name} without containers')


def by_hand(edge, files, chart_words, image):
    """Milliseconds of `helm template`, create and start, until the page; the container is removed afterwards."""
    spec = {'name': 'by-hand', 'image': image, 'portmappings': [{'container_port': 8080, 'host_port': HAND_PORT}]}
    begin = time.monotonic()
    files.helm('template', 'bench', *chart_words, '--set', f'image={image},port={HAND_PORT}', prefix=edge.argv([]), cwd='/')
    made = edge.podman('POST', '/libpod/containers/create', body=spec)
    if made.status != 201:
        raise tools.Failure(f'create by hand: {made.status} {made.text}')
    edge.podman('POST', '/libpod/containers/by-hand/start')
    page = until_page(edge, HAND_PORT, begin)
    edge.podman('DELETE', '/libpod/containers/by-hand', force='true', timeout='0')
    return page


def publish(lab, one, image):
    """A version per round, so that each is new to the edge once; returns the packaged charts."""
    files, archives = lab.site.charts(), {}
    source = files.create('bench', {'deployment.yaml': _DEPLOYMENT}, f'image: {image}\nport: {KEDGE_PORT}\n')
    for i in range(ROUNDS + 1):
        version = f'0.1.{i}'
        archives[version] = files.package(source, version, 'v1')
        lab.site.registry.push_chart(files, archives[version])
        one.import_any('bench', version, {'bench': charts.App('bench', version)})
    return files, archives


def measure_deploy(lab, one, edge, image):
    files, archives = publish(lab, one, image)
    edge.command('podman', 'pull', '--quiet', image)
    first = Figure('deploy to the page, chart new', 'ms', '1.1 x + 50 ms', 1.1, 50)
    again = Figure('deploy to the page, chart known', 'ms', '1.1 x + 50 ms', 1.1, 50)
    status = [Figure(f'... to the acknowledged status, chart {word}', 'ms', '') for word in ('new', 'known')]
    for i in range(ROUNDS + 1):
        version = f'0.1.{i}'
        shutil.rmtree(files.home, ignore_errors=True)  # helm's own cache of charts
        files.home.mkdir()
        reference = [f'{lab.charts_url()}/bench', '--version', version, '--plain-http']
        for figure, known, words in ((first, status[0], reference), (again, status[1], [archives[version]])):
            hand = by_hand(edge, files, words, image)
            page, acknowledged = deploy(one, edge, version)
            remove(one, edge)
            if i > 0:  # the first round warms caches
                figure.baseline.append(hand)
                figure.ours.append(page)
                known.ours.append(acknowledged)
    return [first, status[0], again, status[1]]


# ---- readiness -------------------------------------------------------------------------------------------------------------

def ready_ms(name, settings, folder):
    """From the start of a program to its READY=1; there is no broker."""
    config = folder / f'{name}.conf'
    config.write_text(''.join(f'{key} = {value}\n' for key, value in settings.items()))
    path = f'{folder}/notify'
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(path)
        notify.settimeout(tools.LIMIT_S)
        begin = time.monotonic()
        with subprocess.Popen([tools.program(name), '--config', config], env={**os.environ, 'NOTIFY_SOCKET': path},
                              stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            while 'READY=1' not in notify.recv(4096).decode():
                pass
            took = (time.monotonic() - begin) * 1000
            process.terminate()
            process.wait(tools.LIMIT_S)
    os.unlink(path)
    return took


def measure_readiness():
    figures = []
    for name, more in (('kedge-agent', {'cluster': 'bench'}), ('kedge-coordinator', {})):
        figure = Figure(f'{name} ready, store new or known, no broker', 'ms', '50 ms', plus=50)
        with tempfile.TemporaryDirectory(prefix='kedge-bench-') as made:
            folder = pathlib.Path(made)
            settings = {'broker.address': 'mqtt://127.0.0.1:1', 'state.directory': folder / 'state', **more}
            if name == 'kedge-agent':
                settings['run.directory'] = folder / 'run'
            figure.ours = [ready_ms(name, settings, folder) for _ in range(ROUNDS)]
        figures.append(figure)
    return figures


# ---- all of it -------------------------------------------------------------------------------------------------------------

def inside():
    lab = laboratory.Lab()
    one = None
    try:
        figures = measure_readiness()
        lab.begin(edges=2, with_tls=True)
        lab.publish()
        one = installation.Installation(lab)
        edge = one.edges[0]
        one.agents[edge.name].use_tls()
        one.coordinator.environment['LD_LIBRARY_PATH'] = copied_libraries(lab.site.dir / 'libraries',
                                                                          tools.program('kedge-coordinator'))
        one.begin()
        image = f'{lab.site.page_image()}:v1'
        figures += measure_deploy(lab, one, edge, image)
        figures += measure_coordinator(one)
        deploy(one, edge, '0.1.0')
        figures += measure_memory(one, edge)
        one.stop()
        show(figures)
        write(figures)
        return 0
    except tools.Failure as failure:
        print(f'bench: {failure}\nbench: all logs are in {lab.logs()}')
        return 1
    finally:
        if one:
            one.end()
        lab.close()


def write(figures):
    path = tools.build() / 'bench.json'
    path.write_text(json.dumps([vars(figure) for figure in figures], indent=1))
    print(f'\n{ROUNDS} rounds; all values are in {os.path.relpath(path)}')


def main():
    kernel.die_with_parent(signal.SIGTERM)
    return space.run(inside)


if __name__ == '__main__':
    sys.exit(main())
