"""kill -9 of the coordinator, the broker and each agent, between and inside the demo's steps: the result is the same."""
import random
import threading
import time

import pytest

from tests.demo import story
from tests.lab import daemons, installation, tools

VICTIMS = ['coordinator', 'broker', 'edge-1', 'edge-2']
LIMIT_S = 240  # who lost its connection often comes back after up to a minute
NO_CONNECTION, NO_ANSWER = 3, 4
DONE_BEFORE = {'deploy': 'exist', 'delete': 'not'}  # what a repetition is told whose first try got through


class Patient(daemons.Operator):
    """Tries again while there is no connection or no answer, as a person would."""

    def run(self, *words, check=True, **options):
        def done():
            one = super(Patient, self).run(*words, check=False, **options)
            if one.returncode in (NO_CONNECTION, NO_ANSWER):
                raise daemons.CommandFailed([str(word) for word in words], one)
            return one
        one = tools.wait_for(done, f'an answer to kedge {words[0]}', LIMIT_S)
        if one.returncode == 1 and DONE_BEFORE.get(words[0], '\0') in one.stderr:
            return one
        if check and one.returncode != 0:
            raise daemons.CommandFailed([str(word) for word in words], one)
        return one


class Story(story.Story):
    def footprint(self, edge):
        """Agents may be other processes here, containers may not."""
        return {'containers': super().footprint(edge)['containers']}


def kill_and_restart(one, victim):
    if victim == 'broker':
        one.lab.site.broker.restart()
    elif victim == 'coordinator':
        one.coordinator.restart()
    else:
        one.agents[victim].restart()


@pytest.fixture
def kedge(lab):
    one = installation.Installation(lab)
    one.kedge, one.limit_s = Patient(lab.site), LIMIT_S
    try:
        one.wipe()
        one.start()
        yield one
        one.stop()
    finally:
        one.end()


class Killer:
    """Kills during a step, at moments that a seed decides."""

    def __init__(self, one, victims, seed):
        self.one, self.victims, self.chance = one, victims, random.Random(seed)
        self.kills, self.failure = 0, None

    def between(self):
        for victim in self.victims:
            kill_and_restart(self.one, victim)
            self.kills += 1

    def inside(self, step):
        """Takes the step while its victims die once each, somewhere in its first second."""
        over = threading.Event()
        thread = threading.Thread(target=self._strike, args=(over, self.chance.uniform(0, 1)))
        thread.start()
        try:
            step()
        finally:
            over.set()
            thread.join()
        if self.failure:
            raise self.failure

    def _strike(self, over, delay_s):
        over.wait(delay_s)
        try:
            self.between()
        except Exception as failure:  # told by the thread that waits for this one
            self.failure = failure


@pytest.mark.parametrize('victims', [*[[victim] for victim in VICTIMS], VICTIMS], ids=[*VICTIMS, 'all'])
def test_the_demo_ends_the_same(kedge, victims):
    one = Story(kedge.lab)
    one.use(kedge)
    killer = Killer(kedge, victims, seed=len(victims))
    for what, step in one.operators_steps():
        begin = time.monotonic()
        killer.between()
        killer.inside(step)
        print(f'{time.monotonic() - begin:6.1f} s  {what}')
    assert killer.kills == 2 * len(victims) * len(one.operators_steps())
    one.until_gone()
    assert kedge.kedge.json('get', 'orphans')['items'] == []
