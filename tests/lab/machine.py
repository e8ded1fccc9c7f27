"""A computer of the run: process, mount, network, IPC, host name and cgroup namespaces of its own, below the run's.

Its first process is catatonit, which reaps. Ending it is a power cut: every process of the machine dies at once, and what was in
/run is lost as on any computer; its directory stays, and boot() starts it again with the same link."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

from . import cgroups, kernel, space, tools

NETNS = pathlib.Path('/run/netns')


class Process:
    """A program that runs on a machine. `pid` is the program's own, as the run sees it; its output is in `log`."""

    def __init__(self, machine, name, popen, log):
        self.machine, self.name, self.popen, self.log = machine, name, popen, log
        self.pid = self._find_pid()

    def _find_pid(self):
        """The program is the only child of nsenter."""
        children = pathlib.Path(f'/proc/{self.popen.pid}/task/{self.popen.pid}/children')
        until = time.monotonic() + tools.LIMIT_S
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                words = children.read_text().split()
                if words:
                    return int(words[0])
            if self.popen.poll() is not None:
                return None
            time.sleep(0.001)
        raise tools.Failure(f'{self.name}: did not start')

    def alive(self):
        return self.popen.poll() is None

    def must_live(self):
        if not self.alive():
            raise tools.Dead(tools.with_logs(f'{self.name} ended with {self.popen.returncode}', [self.log]))
        return True

    def kill(self, number=signal.SIGKILL):
        if self.alive() and self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def wait(self, limit_s=tools.LIMIT_S):
        try:
            return self.popen.wait(limit_s)
        except subprocess.TimeoutExpired:
            raise tools.Failure(tools.with_logs(f'{self.name} still runs after {limit_s} s', [self.log])) from None

    def stop(self, limit_s=20):
        """Asks, waits, and only then insists. Returns the exit code."""
        self.kill(signal.SIGTERM)
        try:
            return self.popen.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.kill()
            self.popen.wait()
            raise tools.Failure(tools.with_logs(f'{self.name} did not stop within {limit_s} s of SIGTERM', [self.log])) from None


class Machine:
    def __init__(self, run, name, address):
        self.run, self.name, self.address = run, name, address
        self.netns = NETNS / f'kedge-{run.ident}-{name}'
        self.dir = run.dir / name
        self.logs = run.dir / 'logs'
        self.processes = {}
        self.groups = []
        self.booted = None
        self.mounts = {}  # path on the machine: path in the run; bound at each boot
        self.dir.mkdir(exist_ok=True)
        self.logs.mkdir(exist_ok=True)

    # ---- power -------------------------------------------------------------------------------------------------------------
    def boot(self):
        self.groups = cgroups.create(self.name)
        request = {'name': self.name, 'netns': str(self.netns), 'groups': [str(group) for group in self.groups],
                   'mounts': {str(there): str(here) for there, here in self.mounts.items()}}
        log = open(self.logs / f'{self.name}-boot.log', 'ab')
        self.booted = subprocess.Popen([sys.executable, '-m', 'tests.lab.machine', json.dumps(request)], cwd=space.ROOT,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                                       start_new_session=True)  # a Ctrl-C is not for it
        log.close()
        line = self.booted.stdout.readline()
        if not line.strip().isdigit():
            raise tools.Failure(tools.with_logs(f'{self.name} did not boot', [self.logs / f'{self.name}-boot.log']))
        self.first = int(line)
        (self.dir / 'first.pid').write_text(f'{self.first}\n')
        self.booted.stdout.close()

    def is_up(self):
        return self.booted is not None and self.booted.poll() is None

    def power_off(self):
        """As pulling the plug."""
        if self.booted is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.first, signal.SIGKILL)
        self.booted.wait()
        for process in self.processes.values():
            process.popen.wait()
        self.processes = {}
        self.booted = None
        left = cgroups.remove(self.groups)
        if left:
            raise tools.Failure(f'{self.name}: these groups are not empty after the end: {left}')

    # ---- programs ----------------------------------------------------------------------------------------------------------
    def argv(self, argv):
        """How the run starts a program on this machine."""
        inside = ['nsenter', f'--target={self.first}', '--pid', '--mount', '--net', '--ipc', '--uts', '--cgroup', '--']
        joins = ''.join(f'echo 0 > {file}; ' for file in cgroups.procs_files(self.groups))
        return ['sh', '-c', joins + 'exec "$@"', 'sh', *inside, *[str(word) for word in argv]]

    def start(self, name, argv, env=None):
        log = self.logs / f'{self.name}-{name}.log'
        with open(log, 'ab') as output:
            popen = subprocess.Popen(self.argv(argv), stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd='/',
                                     start_new_session=True, env={**os.environ, **(env or {})})
        process = Process(self, f'{self.name}/{name}', popen, log)
        self.processes[name] = process
        return process

    def command(self, *argv, **options):
        return tools.command(self.argv(argv), cwd='/', **options)

    def path(self, path):
        """A path on the machine, as the run can open it."""
        return pathlib.Path(f'/proc/{self.first}/root{path}')

    # ---- network -----------------------------------------------------------------------------------------------------------
    def network(self):
        """with machine.network(): sockets of this thread are the machine's."""
        return kernel.network_of(self.netns)

    def http(self, url, method='GET', **options):
        return tools.http_request(self.netns, method, url, **options)

    def get(self, url):
        """The text of a page; anything but 200 is a failure."""
        reply = self.http(url)
        if reply.status != 200:
            raise tools.Failure(f'{url} answers {reply.status}')
        return reply.text


# ---- the side of the machine ---------------------------------------------------------------------------------------------------
def _boot(request):
    groups = [pathlib.Path(group) for group in request['groups']]
    cgroups.join_and_unshare(groups)
    netns = os.open(request['netns'], os.O_RDONLY | os.O_CLOEXEC)
    kernel.setns(netns, kernel.CLONE_NEWNET)
    kernel.unshare(kernel.CLONE_NEWPID | kernel.CLONE_NEWNS | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS)
    ready_read, ready_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        _first(request, ready_write)
    os.close(ready_write)
    if os.read(ready_read, 1) == b'r':
        print(pid, flush=True)
        os.close(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _first(request, ready):
    kernel.die_with_parent()
    kernel.sethostname(request['name'])
    binds = {there: os.open(here, os.O_PATH | os.O_CLOEXEC) for there, here in request['mounts'].items()}
    space.mount_private()
    cgroups.mount_own_view()
    for there, here in binds.items():
        pathlib.Path(there).mkdir(parents=True, exist_ok=True)
        kernel.bind(f'/proc/self/fd/{here}', there)
    null = os.open('/dev/null', os.O_RDWR)
    for number in (0, 1):
        os.dup2(null, number)
    os.write(ready, b'r')
    os.execv('/usr/bin/catatonit', ['catatonit', '-P'])


if __name__ == '__main__':
    sys.exit(_boot(json.loads(sys.argv[1])))
