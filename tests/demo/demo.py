"""The demo: one command deploys a package to two edges, live, in namespaces of its own. Exit code 0, or 1 with the reason."""
import os
import signal
import sys
import time

from tests.demo import story
from tests.lab import kernel, space, tools


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

    def done(self, text, seconds):
        self.say(f'{self.paint("32", "  ok ")}  {text} {self.paint("2", f"({seconds:.1f} s)")}')


def take_steps(screen, one):
    """Returns (step, seconds) rows, or raises what a step raised."""
    rows = []
    for what, step in one.steps():
        notes, begin = [], time.monotonic()
        one.tell = screen.note if screen.is_terminal else notes.append
        if screen.is_terminal:
            screen.say(f'  …    {what}')
        try:
            step()
        except BaseException:
            screen.say(f'{screen.paint("31", "  failed")}  {what}')
            raise
        seconds = time.monotonic() - begin
        screen.done(what, seconds)
        for text in notes:
            screen.note(text)
        rows.append((what, seconds))
    return rows


def summarize(screen, rows):
    screen.say()
    for what, seconds in rows:
        screen.say(f'  {seconds:6.1f} s  {what}')
    screen.say(f'  {sum(seconds for _, seconds in rows):6.1f} s  in all')


def stay(screen, one):
    """In a terminal: everything stays up until Ctrl-C."""
    on = one.lab.write_wrappers(one.kedge)
    target = f'http://{story.release_of(story.NAME, "web")}:{story.charts.PORT}/'
    screen.say(f"""
Everything stays up until Ctrl-C. Three commands to try in another terminal:

  {on}/kedge deploy {story.NAME}:1.1.0 --name {story.NAME} -l {story.LABEL} --set caller.target={target}
  {on}/kedge status --watch
  {on}/on edge-1 podman ps
""")
    try:
        while True:
            signal.pause()
    except KeyboardInterrupt:
        screen.say('\nstopping')


def inside():
    screen, one = Screen(), None
    try:
        one = story.Story()
        rows = take_steps(screen, one)
        summarize(screen, rows)
        if sys.stdin.isatty():
            stay(screen, one)
        return 0
    except KeyboardInterrupt:
        screen.say('\nstopped')
        return 130
    except tools.Failure as failure:
        screen.say(f'demo: {failure}')
        screen.say(f'demo: all logs are in {one.lab.run.dir / "logs"}' if one else '')
        return 1
    finally:
        if one:
            one.close()


def main():
    kernel.die_with_parent(signal.SIGTERM)  # the end of `make`, however it comes, ends the demo
    return space.run(inside)


if __name__ == '__main__':
    sys.exit(main())
