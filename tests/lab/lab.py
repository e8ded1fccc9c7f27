"""The whole laboratory: a site and edges."""
import contextlib
import os
import shutil

from . import charts, edge, site, space, tools


class Lab:
    """Only inside a run (space.run), and one at a time."""

    def __init__(self):
        self.run = space.Run.current()
        if self.run is None:
            raise tools.Failure('a laboratory lives in a run: python3 -m tests.lab run …')
        self.site = site.Site(self.run)
        self.edges = {}
        self._copy_programs()
        self.reports = self.run.dir / 'logs' / 'sanitizer'
        self.reports.mkdir(parents=True, exist_ok=True)
        for name in ('ASAN_OPTIONS', 'UBSAN_OPTIONS'):
            os.environ[name] = ':'.join(filter(None, [os.environ.get(name), f'log_path={self.reports}/report']))

    def _copy_programs(self):
        """The run has its own: somebody may build while it is alive."""
        folder = self.run.dir / 'bin'
        folder.mkdir()
        for path in tools.build().glob('kedge*'):
            shutil.copy2(path, folder)

    # ---- what is not ours --------------------------------------------------------------------------------------------------
    def begin(self, edges=2, with_tls=False):
        """Starts everything that is not ours, all at once."""
        self.site.begin(with_tls)
        made = [self._make_edge() for _ in range(edges)]
        tools.together([one.begin for one in made])
        tools.together([self.site.ready, *[one.podman_ready for one in made]])

    def publish(self):
        """Images and charts go into the registry. Returns the folder with the deployment package."""
        tools.together([self.site.push_pages, lambda: self.site.push_charts(self.site.charts())])
        return charts.write_package(self.site.dir / 'package', self.charts_url(), self.site.page_image())

    def charts_url(self):
        return f'oci://{self.site.registry.host}/charts'

    def push_chart(self, name, templates, values='', version='0.1.0'):
        """A chart of a test's own: {file: template}."""
        files = self.site.charts()
        self.site.registry.push_chart(files, files.package(files.create(name, templates, values, version), version, 'v1'))

    def logs(self):
        return self.run.dir / 'logs'

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

    def write_wrappers(self, operator):
        """Programs for another terminal: `on MACHINE COMMAND…` and `kedge …` on the site. Returns their folder."""
        folder = self.run.dir
        enter = '--pid --mount --net --ipc'
        (folder / 'on').write_text(f"""#!/bin/sh
# on MACHINE COMMAND...: runs a command on a machine of this run ({', '.join(['site', *self.edges])}).
here={folder}
machine=$1
shift
exec nsenter --target "$(cat $here/first.pid)" {enter} -- \\
    sh -c 'first=$1; shift; exec nsenter --target "$(cat "$first")" {enter} --uts -- "$@"' sh "$here/$machine/first.pid" "$@"
""")
        words = ' '.join(f'{key}={value}' for key, value in operator.own_environment().items())
        (folder / 'kedge').write_text(f"""#!/bin/sh
# kedge, as the operator of this run uses it.
exec {folder}/on site env {words} {tools.program('kedge')} "$@"
""")
        for name in ('on', 'kedge'):
            (folder / name).chmod(0o755)
        return folder

    # ---- end ---------------------------------------------------------------------------------------------------------------
    def take_sanitizer_reports(self):
        """The texts of new reports; they count once."""
        texts = []
        for path in sorted(self.reports.iterdir()):
            texts.append(f'{path.name}:\n{path.read_text(errors="replace")[:6000]}')
            path.unlink()
        return texts

    def close(self):
        """Everything in order; whatever remains ends with the run."""
        for one in [*self.edges.values(), self.site]:
            with contextlib.suppress(tools.Failure):
                one.power_off()
