#!/usr/bin/python3
"""Looks at what was built: which libraries each program brings, whether it is hardened, whether a name is defined twice.

    tests/lint/links.py BUILD              checks BUILD
    tests/lint/links.py BUILD --fixtures   builds bad programs and an archive there, which must be refused
"""
import collections
import pathlib
import re
import subprocess
import sys

# What must not be in a program, nor in a library that it brings.
KEPT_OUT = {
    'kedge-agent': r'lib(curl|yaml|archive)\b',
    'kedge-agent-job': r'lib(mosquitto|lmdb)\b',
    'kedge-coordinator': r'lib(cmocka)\b',
    'kedge': r'lib(curl|lmdb)\b',
}


def output(*argv):
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def libraries(path):
    """Those that are named in the file, and those that come with them."""
    direct = re.findall(r'\(NEEDED\).*\[(.*?)\]', output('readelf', '-d', path))
    return sorted(set(direct + re.findall(r'^\s+(\S+\.so\S*)', output('ldd', path), re.M)))


def check_libraries(name, path):
    for library in libraries(path):
        if re.match(KEPT_OUT[name], library):
            yield f'{name} is linked with {library}'


def check_hardening(name, path):
    if not re.search(r'Type:\s+DYN', output('readelf', '-h', path)):
        yield f'{name} is not position independent'
    if 'GNU_RELRO' not in output('readelf', '-lW', path):
        yield f'{name} has no RELRO'
    if not re.search(r'BIND_NOW|FLAGS.*NOW', output('readelf', '-d', path)):
        yield f'{name} binds lazily'
    if not re.search(r'GNU_STACK.*\bRW\b', output('readelf', '-lW', path)):
        yield f'{name} has an executable stack'


def check_names(archive):
    """Programs take objects from one archive: a name that two objects define would be a matter of luck."""
    owners = collections.defaultdict(list)
    for line in output('nm', '--defined-only', '--extern-only', '-A', archive).splitlines():
        place, _, kind, name = re.match(r'(.*):([0-9a-f]*) (\w) (\S+)$', line).groups()
        if kind in 'TDBRC' and not name.startswith(('__asan', '__odr_asan', 'asan.')):
            owners[name].append(place)
    for name, places in owners.items():
        if len(places) > 1:
            yield f'{name} is defined by {" and ".join(places)}'


def check_build(build):
    for name in KEPT_OUT:
        path = build / name
        if path.exists():
            yield from check_libraries(name, path)
            yield from check_hardening(name, path)
    if (build / 'libkedge.a').exists():
        yield from check_names(build / 'libkedge.a')


def compiled(where, name, source, *flags):
    where.mkdir(parents=True, exist_ok=True)
    (where / 'bad.c').write_text(source)
    subprocess.run(['cc', '-x', 'c', str(where / 'bad.c'), '-o', str(where / name), *flags], check=True)
    return where / name


def bad_cases(where):
    curl = '#include <curl/curl.h>\nint main(void) { return curl_version() == 0; }\n'
    lmdb = '#include <lmdb.h>\nint main(void) { return mdb_version(0, 0, 0) == 0; }\n'
    yield 'agent with libcurl', check_libraries('kedge-agent', compiled(where, 'kedge-agent', curl, '-lcurl'))
    yield 'job with LMDB', check_libraries('kedge-agent-job', compiled(where, 'kedge-agent-job', lmdb, '-llmdb'))
    lazy = compiled(where, 'lazy', 'int main(void) { return 0; }\n', '-Wl,-z,lazy')
    yield 'lazy binding', check_hardening('lazy', lazy)
    fixed = compiled(where, 'fixed', 'int main(void) { return 0; }\n', '-no-pie', '-Wl,-z,now')
    yield 'fixed addresses', check_hardening('fixed', fixed)
    for name in ('one.o', 'two.o'):
        compiled(where, name, 'int kd_twice(void);\nint kd_twice(void) { return 1; }\n', '-c')
    (where / 'twice.a').unlink(missing_ok=True)
    subprocess.run(['ar', 'rcs', str(where / 'twice.a'), str(where / 'one.o'), str(where / 'two.o')], check=True)
    yield 'a name defined twice', check_names(where / 'twice.a')


def check_fixtures(build):
    bad = 0
    for what, found in bad_cases(build / 'lint'):
        found = list(found)
        print(f'{"ok" if found else "not ok"} {what} is refused: {found[0] if found else "nothing found"}')
        bad += not found
    return 1 if bad else 0


def main():
    build = pathlib.Path(sys.argv[1])
    if '--fixtures' in sys.argv[2:]:
        return check_fixtures(build)
    found = list(check_build(build))
    print('\n'.join(found))
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
