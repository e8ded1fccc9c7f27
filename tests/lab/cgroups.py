"""Control groups of a run and of its machines: one below another in every hierarchy (versions 1 and 2), empty again at the end.

A run's groups are also its record of processes: whatever is in them was started by the run, and nothing else is."""
import contextlib
import os
import pathlib
import signal
import time

from . import kernel

LEAF = 'inside'  # version 2 wants processes in leaves only, or its controllers cannot be handed down


class Hierarchy:
    """One mounted hierarchy, and where this process is in it."""

    def __init__(self, mount, root, kind, options, path):
        self.mount, self.kind, self.options = pathlib.Path(mount), kind, options
        inside = os.path.relpath(path, root) if path.startswith(root) else '.'
        self.own = self.mount / inside

    def is_v2(self):
        return self.kind == 'cgroup2'


def _own_paths():
    paths = {}
    for line in pathlib.Path('/proc/self/cgroup').read_text().splitlines():
        _, names, path = line.split(':', 2)
        paths[frozenset(names.split(',')) if names else frozenset()] = path
    return paths


def hierarchies():
    own, seen = _own_paths(), {}
    for line in pathlib.Path('/proc/self/mountinfo').read_text().splitlines():
        left, right = line.split(' - ', 1)
        kind, _, options = right.split(' ', 2)
        if kind not in ('cgroup', 'cgroup2'):
            continue
        words = set(options.split(','))
        for names, path in own.items():
            if names <= words if kind == 'cgroup' and names else kind == 'cgroup2' and not names:
                seen[names] = Hierarchy(left.split()[4], left.split()[3], kind, _mount_options(names), path)
    return list(seen.values())


def _mount_options(names):
    named = [name for name in names if name.startswith('name=')]
    return ','.join(['none', *named] if named else sorted(names))


def _hand_down(group):
    """Version 2: what the group has, groups below it have too."""
    with contextlib.suppress(OSError):
        for name in (group / 'cgroup.controllers').read_text().split():
            with contextlib.suppress(OSError):
                (group / 'cgroup.subtree_control').write_text(f'+{name}')


def root_of_view(hierarchy):
    return hierarchy.mount


def place_of_run(hierarchy):
    """Below its starter; version 2 has processes in leaves only, so there it is the root."""
    return hierarchy.mount if hierarchy.is_v2() else hierarchy.own


def create(name, parent_of=root_of_view):
    """Makes a group of that name in every hierarchy; returns their paths."""
    made = []
    for hierarchy in hierarchies():
        parent = parent_of(hierarchy)
        group = parent / name
        if hierarchy.is_v2():
            _hand_down(parent)
        group.mkdir(exist_ok=True)
        for limits in ('cpuset.cpus', 'cpuset.mems'):
            if not hierarchy.is_v2() and (group / limits).exists():
                (group / limits).write_text((parent / limits).read_text())
        if hierarchy.is_v2():
            (group / LEAF).mkdir(exist_ok=True)
        made.append(group)
    return made


def procs_files(groups):
    return [group / LEAF / 'cgroup.procs' if (group / LEAF).is_dir() else group / 'cgroup.procs' for group in groups]


def join(groups):
    for file in procs_files(groups):
        file.write_text('0')


def join_and_unshare(groups):
    """Becomes a member of the groups and sees them as the roots. Version 2's root of view is above the leaf."""
    for group in groups:
        (group / 'cgroup.procs').write_text('0')
    kernel.unshare(kernel.CLONE_NEWCGROUP)
    join(groups)


def mount_own_view():
    """After an unshare of cgroups and mounts: /sys/fs/cgroup shows this view."""
    for hierarchy in hierarchies():
        kernel.unmount(hierarchy.mount)
        kernel.mount('cgroup', hierarchy.mount, hierarchy.kind, kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC,
                     '' if hierarchy.is_v2() else hierarchy.options)


def _below(group):
    return [pathlib.Path(path) for path, _, _ in os.walk(group, topdown=False)]


def kill(groups):
    for group in groups:
        for one in _below(group):
            with contextlib.suppress(OSError):
                for pid in (one / 'cgroup.procs').read_text().split():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)


def remove(groups, limit_s=10):
    """Removes groups that are empty or about to be. What remains is returned."""
    until = time.monotonic() + limit_s
    while True:
        for group in groups:
            for one in _below(group):
                with contextlib.suppress(OSError):
                    one.rmdir()
        groups = [group for group in groups if group.exists()]
        if not groups or time.monotonic() > until:
            return groups
        time.sleep(0.02)
