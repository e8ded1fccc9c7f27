"""A run of the laboratory: everything that it starts is in process, mount, network, IPC and cgroup namespaces of its own.

Three processes are in a row: the keeper (outside, holds the run's lock and tidies up), the first process of the namespace (reaps
what nobody else waits for), and the work itself. If any of the three dies, in whatever way, the kernel ends everything else and
takes mounts, links and network namespaces with it; what then remains is the run's directory below build/lab and its empty
cgroups. The keeper removes them, or `python3 -m tests.lab clean` where the keeper was killed too."""
import contextlib
import errno
import fcntl
import json
import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import sys
import traceback

from . import cgroups, kernel

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUNS = ROOT / 'build' / 'lab'
INSIDE = 'KEDGE_LAB_RUN'  # in the environment of everything inside: the run's identifier


class Run:
    """A run's directory on disk, with its lock and its records."""

    def __init__(self, ident):
        self.ident = ident
        self.dir = RUNS / ident

    @classmethod
    def current(cls):
        return cls(os.environ[INSIDE]) if INSIDE in os.environ else None

    @classmethod
    def create(cls):
        RUNS.mkdir(parents=True, exist_ok=True)
        while True:
            run = cls(secrets.token_hex(3))
            with contextlib.suppress(FileExistsError):
                run.dir.mkdir()
                return run

    def lock(self):
        """An open file that holds the lock, or None while the run is alive."""
        file = open(self.dir / 'lock', 'w')
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except BlockingIOError:
            file.close()
            return None

    def record(self, groups):
        (self.dir / 'cgroups.json').write_text(json.dumps([str(group) for group in groups]))

    def groups(self):
        try:
            return [pathlib.Path(path) for path in json.loads((self.dir / 'cgroups.json').read_text())]
        except (FileNotFoundError, ValueError):
            return []

    def remove(self, keep_logs=False):
        """Only for the holder of the lock."""
        groups = [group for group in self.groups() if group.name == f'kedge-{self.ident}']
        cgroups.kill(groups)
        left = cgroups.remove(groups)
        if keep_logs:
            for path in self.dir.iterdir():
                if path.name not in ('lock', 'logs', 'cgroups.json'):
                    _remove_tree(path)
        else:
            _remove_tree(self.dir)
        return left


def _remove_tree(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def clean():
    """Removes what killed runs left. Runs that are alive are not touched."""
    for path in sorted(RUNS.iterdir()) if RUNS.is_dir() else []:
        run = Run(path.name)
        with contextlib.ExitStack() as stack:
            held = run.lock()
            if held is None:
                print(f'lab: {run.ident} is running, left alone')
                continue
            stack.enter_context(held)
            left = run.remove()
            if left:
                raise SystemExit(f'lab: these groups of {run.ident} cannot be removed: {left}')
    with contextlib.suppress(OSError):
        RUNS.rmdir()


def need_root():
    if os.geteuid() != 0:
        raise SystemExit('this needs root: namespaces, mounts and Podman are made for the run')


def run(work, keep_logs_on_failure=True):
    """Calls work() in a run of its own and returns its exit code."""
    need_root()
    one = Run.create()
    held = one.lock()
    sys.stdout.flush()
    sys.stderr.flush()
    code = 1
    try:
        groups = cgroups.create(f'kedge-{one.ident}', cgroups.place_of_run)
        one.record(groups)
        code = _keep(one, groups, work)
    finally:
        left = one.remove(keep_logs=keep_logs_on_failure and code != 0)
        held.close()
        if left:
            print(f'lab: these groups cannot be removed: {left}', file=sys.stderr)
    return code


def _keep(one, groups, work):
    go_read, go_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(go_write)
        _exit_with(lambda: _enter(one, groups, go_read, work))
    os.close(go_read)
    (one.dir / 'keeper.json').write_text(json.dumps({'keeper': os.getpid(), 'middle': pid}))
    signals = {signal.SIGINT: lambda *_: None}  # a terminal sends it to the work as well
    signals[signal.SIGTERM] = lambda *_: _forward(pid)
    with _handling(signals):
        os.write(go_write, b'g')
        return _exit_code(_wait(pid))


def _forward(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)


@contextlib.contextmanager
def _handling(signals):
    before = {number: signal.signal(number, handler) for number, handler in signals.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait(pid):
    return os.waitpid(pid, 0)[1]


def _exit_code(status):
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _exit_with(work):
    code = 1
    try:
        code = work()
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except KeyboardInterrupt:
        code = 130
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


def _enter(one, groups, go_read, work):
    """Outside the new process namespace still: its first process is this one's child."""
    kernel.die_with_parent()
    if os.read(go_read, 1) != b'g':  # the keeper is gone already
        return 1
    cgroups.join_and_unshare(groups)
    kernel.unshare(kernel.CLONE_NEWPID | kernel.CLONE_NEWNS | kernel.CLONE_NEWNET | kernel.CLONE_NEWIPC)
    pid = os.fork()
    if pid == 0:
        _exit_with(lambda: _first(one, work))
    (one.dir / 'first.pid').write_text(f'{pid}\n')
    with _handling({signal.SIGINT: lambda *_: None, signal.SIGTERM: lambda *_: _forward(pid)}):
        return _exit_code(_wait(pid))


def _first(one, work):
    kernel.die_with_parent()
    mount_private()
    cgroups.mount_own_view()
    subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
    pid = os.fork()
    if pid == 0:
        _exit_with(lambda: _work(one, work))
    with _handling({signal.SIGINT: lambda *_: None, signal.SIGTERM: lambda *_: _forward(pid)}):
        return _reap_until(pid)


def mount_private():
    """Mounts that nobody else sees: /proc, /run and /dev/shm are this namespace's own."""
    kernel.mount('none', '/', '', kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount('proc', '/proc', 'proc', kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
    resolv = os.path.realpath('/etc/resolv.conf')
    _unmount_below('/run/')
    kernel.mount('kedge', '/run', 'tmpfs', kernel.MS_NOSUID | kernel.MS_NODEV, 'mode=755')
    kernel.mount('kedge', '/dev/shm', 'tmpfs', kernel.MS_NOSUID | kernel.MS_NODEV, 'mode=1777')
    pathlib.Path('/run/lock').mkdir()
    if resolv.startswith('/run/'):
        pathlib.Path(resolv).parent.mkdir(parents=True, exist_ok=True)
        pathlib.Path(resolv).touch()


def _unmount_below(folder):
    """Others' mounts would be kept alive here although nothing sees them."""
    for line in reversed(pathlib.Path('/proc/self/mounts').read_text().splitlines()):
        if line.split()[1].startswith(folder):
            with contextlib.suppress(OSError):
                kernel.unmount(line.split()[1])


def _reap_until(pid):
    while True:
        try:
            ended, status = os.waitpid(-1, 0)
        except OSError as error:
            if error.errno == errno.ECHILD:
                return 1
            raise
        if ended == pid:
            return _exit_code(status)


def _work(one, work):
    kernel.die_with_parent()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    temporary = one.dir / 'tmp'
    temporary.mkdir()
    os.environ[INSIDE] = one.ident
    os.environ['TMPDIR'] = str(temporary)
    return work()
