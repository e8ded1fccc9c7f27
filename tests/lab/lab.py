"""The whole laboratory: a site and edges."""
import contextlib

from . import edge, site, space, tools


class Lab:
    """Only inside a run (space.run)."""

    def __init__(self):
        self.run = space.Run.current()
        if self.run is None:
            raise tools.Failure('a laboratory lives in a run: python3 -m tests.lab run …')
        self.site = site.Site(self.run)
        self.edges = {}

    def begin(self, edges=2, with_tls=False):
        """Starts everything that is not ours, all at once."""
        self.site.begin(with_tls)
        made = [self._make_edge() for _ in range(edges)]
        tools.together([one.begin for one in made])
        tools.together([self.site.ready, *[one.podman_ready for one in made]])

    def _make_edge(self):
        number = len(self.edges) + 1
        one = edge.Edge(self.run, self.site, f'edge-{number}', number + 10)
        self.edges[one.name] = one
        return one

    def add_edge(self):
        one = self._make_edge()
        one.begin()
        one.podman_ready()
        return one

    def close(self):
        """Everything in order; whatever remains ends with the run."""
        for one in [*self.edges.values(), self.site]:
            with contextlib.suppress(tools.Failure):
                one.power_off()
