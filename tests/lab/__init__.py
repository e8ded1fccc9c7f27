"""Kedge's laboratory: a whole installation in namespaces of its own, for the demo, the system tests and the measurements.

    space.py         a run: its process, mount, network and cgroup namespaces, and the end of everything in them
    cgroups.py       the control groups of a run and of its machines
    machine.py       a computer of the run (the site, an edge): namespaces again, its network link, its programs
    network.py       the bridge and the links
    site.py          registry and broker
    edge.py          Podman
    lab.py           a site and edges
    daemons.py       our programs on them
    installation.py  a coordinator, agents and an operator, with empty stores at first
    stock.py         an operator with paho-mqtt and mosquitto_rr
    image.py         images, made and pushed without any tool
    charts.py        charts and deployment packages
    tls.py           certificates
    notify.py        the service manager's socket
    outside.py       what a run could leave behind
    tools.py         waiting, HTTP, and small things
    kernel.py        calls of the kernel that Python has no name for
"""
