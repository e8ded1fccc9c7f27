"""Kedge's laboratory: a whole installation in namespaces of its own, for the demo, the system tests and the measurements.

    space.py     a run: its process, mount, network and cgroup namespaces, and the end of everything in them
    machine.py   a computer of the run (the site, an edge): its own namespaces again, its network link, its programs
    site.py      registry, broker and coordinator
    edge.py      Podman and an agent
    image.py     images, made and pushed without any tool
    charts.py    charts and deployment packages
    lab.py       all of it together
    tools.py     waiting, HTTP, and small things
"""
