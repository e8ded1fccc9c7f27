"""The demo: one command deploys a package to two edges, live, in namespaces of its own. Exit code 0, or 1 with the reason."""
import os
import signal
import sys
import time

from tests.demo import story
from tests.lab import kernel, space, tools
from tests.lab import lab as laboratory


class Screen:
    """Lines for people; colours and rewriting on a terminal only."""

    def __init__(self):
        self.is_terminal = sys.stdout.isatty() and os.environ.get('TERM') != 'dumb'
        self.colours = self.is_terminal and not os.environ.get('NO_COLOR')

    def paint(self, code, text):
        return f'\033[{code}m{text}\033[0m' if self.colours else text

    def say(self, text=''):
        print(text, flush=True)

    def note(self, text):
        for line in text.splitlines():
            self.say(self.paint('2', f'       {line}'))

    def failed(self, text):
        self.say(f'{self.paint("31", "  failed")}  {text}')

    def done(self, text, seconds):
        self.say(f'{self.paint("32", "  ok ")}  {text} {self.paint("2", f"({seconds:.1f} s)")}')


def take_steps(screen, one):
    """Returns (step, seconds) rows, or raises what a step raised."""
    rows = []
    for what, step in one.steps():
        screen.say(f'  ...   {what}')
        begin = time.monotonic()
        try:
            step()
        except BaseException:
            screen.failed(what)
            raise
        rows.append((what, time.monotonic() - begin))
        screen.done(*rows[-1])
    return rows


def summarize(screen, rows):
    screen.say()
    for what, seconds in rows:
        screen.say(f'  {seconds:6.1f} s  {what}')
    screen.say(f'  {sum(seconds for _, seconds in rows):6.1f} s  in all')


def stay(screen, lab, operator):
    """In a terminal: everything stays up until Ctrl-C."""
    on = os.path.relpath(lab.write_wrappers(operator))
    screen.say(f"""
Everything stays up until Ctrl-C. Three commands to try in another terminal:

  {on}/kedge deploy {story.NAME}:1.1.0 --name {story.NAME} -l {story.LABEL} --set {story.caller_target()}
  {on}/kedge status --watch
  {on}/on edge-1 podman ps
""")
    try:
        while True:
            signal.pause()
    except KeyboardInterrupt:
        screen.say('\nstopping')


def stop(installation, lab):
    """In order, and no daemon may end badly."""
    installation.stop()
    reports = lab.take_sanitizer_reports()
    if reports:
        raise tools.Failure('\n'.join(reports))


def inside():
    screen, lab = Screen(), laboratory.Lab()
    try:
        one = story.Story(lab, screen.note)
        summarize(screen, take_steps(screen, one))
        if sys.stdin.isatty():
            stay(screen, lab, one.kedge)
        stop(one.installation, lab)
        return 0
    except KeyboardInterrupt:
        screen.say('\nstopped')
        return 130
    except tools.Failure as failure:
        screen.say(f'demo: {failure}\ndemo: all logs are in {lab.logs()}')
        return 1
    finally:
        lab.close()


def main():
    kernel.die_with_parent(signal.SIGTERM)  # the end of `make`, however it comes, ends the demo
    return space.run(inside)


if __name__ == '__main__':
    sys.exit(main())
