"""What a run could leave behind, as the process that started it sees it."""
import os
import pathlib

from . import cgroups, tools


def seen():
    """To be compared with another look: nothing in it may change by a run that came and went."""
    return {
        'mounts': pathlib.Path('/proc/self/mounts').read_text(),
        'links': tools.command(['ip', '-o', 'link']).stdout,
        'namespaces': tools.command(['ip', 'netns', 'list']).stdout,
        'processes': processes(),
        'groups': sorted(str(group) for one in cgroups.hierarchies() for group in one.own.parent.glob('*/kedge-*')),
        'run': sorted(map(str, pathlib.Path('/run').rglob('*'))),
        'shm': sorted(os.listdir('/dev/shm')),
    }


def processes():
    return sorted(pid for pid in os.listdir('/proc') if pid.isdigit() and int(pid) != os.getpid())
