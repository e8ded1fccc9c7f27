"""The calls of the kernel that Python 3.11 has no name for."""
import contextlib
import ctypes
import os
import signal

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x2000000, 0x4000000, 0x8000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
MS_REC, MS_PRIVATE, MS_BIND, MS_NOSUID, MS_NODEV, MS_NOEXEC = 0x4000, 0x40000, 0x1000, 2, 4, 8
MNT_DETACH = 2
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result, what):
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f'{what}: {os.strerror(code)}')


def unshare(flags):
    _checked(_libc.unshare(flags), 'unshare')


def setns(fd, kind):
    _checked(_libc.setns(fd, kind), 'setns')


def mount(source, target, kind, flags=0, options=''):
    _checked(_libc.mount(source.encode(), str(target).encode(), kind.encode(), ctypes.c_ulong(flags), options.encode()),
             f'mount {kind} on {target}')


def bind(source, target):
    mount(str(source), target, '', MS_BIND | MS_REC)


def unmount(target):
    _checked(_libc.umount2(str(target).encode(), MNT_DETACH), f'umount {target}')


def sethostname(name):
    _checked(_libc.sethostname(name.encode(), len(name)), 'sethostname')


def die_with_parent(number=signal.SIGKILL):
    _checked(_libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0), 'prctl')


@contextlib.contextmanager
def network_of(path):
    """This thread, and sockets that it makes, are in that network namespace."""
    home = os.open('/proc/thread-self/ns/net', os.O_RDONLY | os.O_CLOEXEC)
    try:
        there = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            setns(there, CLONE_NEWNET)
        finally:
            os.close(there)
        try:
            yield
        finally:
            setns(home, CLONE_NEWNET)
    finally:
        os.close(home)
