"""python3 -m tests.lab clean            removes what killed runs left behind
python3 -m tests.lab run COMMAND...    runs a command in a run of its own"""
import subprocess
import sys

from . import space


def main():
    if sys.argv[1:] == ['clean']:
        space.clean()
        return 0
    if len(sys.argv) > 2 and sys.argv[1] == 'run':
        return space.run(lambda: subprocess.call(sys.argv[2:]), keep_logs_on_failure=False)
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == '__main__':
    sys.exit(main())
