#!/usr/bin/python3
"""Our own rules about the sources, one row each in RULES. Prints FILE:LINE: RULE: WHY and ends with 1 if anything is found.

    tests/lint/rules.py              checks the checkout
    tests/lint/rules.py --fixtures   every tree in tests/lint/fixtures/RULE/ must be refused by RULE, else this fails
"""
import pathlib
import re
import subprocess
import sys
import tempfile

FIXTURES = pathlib.Path('tests/lint/fixtures')
NOT_OURS = (f'{FIXTURES}/', 'tests/fuzz/corpus/')  # what is wrong on purpose

# ---- tables ----------------------------------------------------------------------------------------------------------------

PURE = ['shared/base', 'shared/model', 'agent/core', 'agent/workload', 'agent/jobs', 'coordinator/core']

# Who may include whom (docs/architecture.md). Everybody may use shared/base and itself.
MAY_USE = {
    'shared/base': [],
    'shared/model': [],
    'shared/os': [],
    'shared/mqtt': ['shared/os'],
    'shared/store': ['shared/os'],
    'shared/http': ['shared/os'],
    'shared/registry': ['shared/model', 'shared/os', 'shared/http'],
    'agent/core': ['shared/model', 'agent/jobs'],
    'agent/workload': ['shared/model'],
    'agent/jobs': ['shared/model'],
    'agent/daemon': ['shared/model', 'agent/core', 'agent/jobs', 'shared/os', 'shared/mqtt', 'shared/store'],
    'agent/runtime': ['shared/model', 'agent/jobs', 'agent/workload', 'shared/os', 'shared/http', 'shared/registry'],
    'agent/job': ['shared/model', 'agent/jobs', 'agent/workload', 'agent/runtime', 'shared/os', 'shared/http', 'shared/registry'],
    'coordinator/core': ['shared/model'],
    'coordinator/server': ['shared/model', 'coordinator/core', 'shared/os', 'shared/mqtt', 'shared/store', 'shared/http',
                           'shared/registry'],
    'coordinator/broker': ['shared/model'],
    'coordinator/cli': ['shared/model', 'shared/os', 'shared/mqtt'],
    'coordinator/web': [],
}

# Libraries that stay behind one folder of ours.
ONLY_IN = {
    r'curl/.*': ['shared/http'],
    r'mosquitto(_broker|_plugin)?\.h': ['shared/mqtt', 'coordinator/broker'],
    r'lmdb\.h': ['shared/store'],
    r'cmocka\.h': [],
}

# What a pure folder may include from outside: no I/O, no clock, no log. <unistd.h> is for own.h's close() only.
PURE_HEADERS = set('''assert.h ctype.h errno.h inttypes.h limits.h math.h stdalign.h stdarg.h stdbool.h stddef.h stdint.h stdio.h
stdlib.h string.h strings.h cjson/cJSON.h yaml.h'''.split())
PURE_HEADERS_OF = {'shared/base/own.h': {'unistd.h'}, 'shared/base/time.c': {'time.h'}}

BANNED = '''strcpy strcat sprintf vsprintf strncpy strncat strdup strndup strtok strtok_r gets atoi atol atoll atof
scanf sscanf fscanf vscanf vsscanf vfscanf alloca system popen mktemp tmpnam'''.split()

BANNED_IN_PURE = '''time clock clock_gettime gettimeofday getrandom rand random srand drand48 getenv printf vprintf fprintf
vfprintf puts putchar fputs fopen open read write close socket exit _exit abort kd_log usleep sleep nanosleep'''.split()

PREFIXES = {'shared': 'kd_', 'agent': 'ag_', 'coordinator/core': 'co_', 'coordinator/server': 'co_', 'coordinator/broker': 'cb_',
            'coordinator/cli': 'ct_'}

# Paths and places of one machine. Written in pieces, so that this file does not name them either.
ELSEWHERE = [
    (r'''(^|[\s"'`=(:,])/wo''' r'''rk(/|\b)''', 'a path of one machine'),
    (r'\.\./sha' r'red\b', 'a path outside the checkout'),
    (r'/ho' r'me/[a-z]', 'a path of one machine'),
    (r'/ro' r'ot/\.', 'a path of one machine'),
    (r'registry\.npm' r'js|proxy\.go' r'lang|deb\.deb' r'ian|py' r'pi\.org', 'a package registry'),
]

UNDONE = [(r'\b(TO' r'DO|FIX' r'ME|XX' r'X|HA' r'CK)\b', 'something is not done')]

# Bad examples that may not stand in the checkout as files, since they are what no file may say.
MADE = {
    'elsewhere': {'docs/path.md': 'The demo lies in /wo' 'rk/main/build.\n', 'docs/outside.md': 'See `../sha' 'red/design`.\n',
                  'packaging/start': '#!/bin/sh\ncd "/ho' 'me/ada"\n',
                  'tests/lab/get.py': 'URL = "https://registry.npm' 'js.org"\n'},
    'undone': {'shared/os/later.c': '/** Later. */\n/* TO' 'DO: the rest */\n', 'docs/later.md': 'FIX' 'ME\n'},
}


# ---- sources ---------------------------------------------------------------------------------------------------------------

class File:
    def __init__(self, root, path):
        self.root, self.path = root, path     # the path is below the root
        self.folder = str(pathlib.PurePath(path).parent)
        self.text = (root / path).read_text(errors='replace')
        self.is_c = path.endswith(('.c', '.h'))
        self.code = without_comments(self.text) if self.is_c else self.text
        self.bare = without_strings(self.code) if self.is_c else self.text


def blank(match):
    return re.sub(r'[^\n]', ' ', match.group(0))


def without_comments(text):
    """Comments become blanks; lines stay where they are."""
    def keep_strings(match):
        return match.group(0) if match.group(0)[0] in '"\'' else blank(match)
    return re.sub(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/|//[^\n]*', keep_strings, text, flags=re.S)


def without_strings(code):
    return re.sub(r'"(?:\\.|[^"\\\n])*"', lambda m: '"' + ' ' * (len(m.group(0)) - 2) + '"', code)


def lines_of(text, pattern):
    for match in re.finditer(pattern, text, re.M):
        yield text.count('\n', 0, match.start()) + 1, match


def includes(file):
    for line, match in lines_of(file.code, r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]'):
        yield line, match.group(1) == '"', match.group(2)


# ---- rules: each yields (line, why) ----------------------------------------------------------------------------------------

def banned(file):
    for line, match in lines_of(file.bare, r'(?<![\w.>])(' + '|'.join(BANNED) + r')\s*\('):
        yield line, f'{match.group(1)} is banned'
    for line, match in lines_of(file.bare, r'\btypedef\s+(struct|union|enum)\s+\w*\s*(\{|\w+\s*;)'):
        yield line, f'no typedef for a {match.group(1)}'


def pure(file):
    if file.folder not in PURE:
        return
    for line, match in lines_of(file.bare, r'(?<![\w.>])(' + '|'.join(BANNED_IN_PURE) + r')\s*\('):
        if file.path != 'shared/base/own.h':
            yield line, f'{match.group(1)} in a pure folder'
    for line, ours, name in includes(file):
        if not ours and name not in PURE_HEADERS | PURE_HEADERS_OF.get(file.path, set()) and not name.startswith('mbedtls/'):
            yield line, f'<{name}> in a pure folder'


def include_table(file):
    if file.folder not in MAY_USE:
        if file.path.startswith(('shared/', 'agent/', 'coordinator/')):
            yield 1, f'the folder {file.folder} is not in the table of docs/architecture.md'
        return
    for line, ours, name in includes(file):
        folder = str(pathlib.PurePath(name).parent)
        if ours and folder not in [file.folder, 'shared/base', *MAY_USE[file.folder]]:
            yield line, f'{file.folder} may not use "{name}"'
        for pattern, folders in ONLY_IN.items():
            if not ours and re.fullmatch(pattern, name) and file.folder not in folders:
                yield line, f'<{name}> belongs into {" and ".join(folders) or "tests"} only'


def prefix(file):
    wanted = next((p for folder, p in PREFIXES.items() if file.folder == folder or file.folder.startswith(folder + '/')), None)
    if not wanted or not file.path.endswith('.h'):
        return
    code = re.sub(r'^[ \t]*#(?:\\\n|[^\n])*', blank, file.bare, flags=re.M)
    while True:                                # bodies of inline functions and structs, innermost first
        shorter = re.sub(r'\{[^{}]*\}', blank, code)
        if shorter == code:
            break
        code = shorter
    code = re.sub(r'__attribute__\s*\(\(.*?\)\)', blank, code, flags=re.S)
    for line, match in lines_of(code, r'^(?:[A-Za-z_][\w \t*]*?[ \t*])?([a-zA-Z_]\w*)\s*\('):
        if not match.group(1).startswith(wanted):
            yield line, f'{match.group(1)} in {file.folder} must begin with {wanted}'


def opening(file):
    if not file.is_c or not file.path.startswith(('shared/', 'agent/', 'coordinator/', 'tests/')):
        return
    if not file.text.startswith('/**'):
        yield 1, 'a file begins with /** and the sentence that says what it is for'
    if file.path.endswith('.h') and not re.search(r'^#ifndef (\w+_H)\n#define \1\n', file.text, re.M):
        yield 1, 'a header has a guard that ends with _H'


def elsewhere(file):
    for pattern, why in ELSEWHERE:
        for line, _ in lines_of(file.text, pattern):
            yield line, why


def undone(file):
    for pattern, why in UNDONE:
        for line, _ in lines_of(file.text, pattern):
            yield line, why


def text(file):
    for line, _ in lines_of(file.text, r'[ \t\r]+$'):
        yield line, 'blanks at the end of the line'
    if file.text and not file.text.endswith('\n'):
        yield file.text.count('\n') + 1, 'the last line has no end'


def document_links(file):
    """What a document links to is there, and so are the folders and files of ours that it names in backquotes."""
    if not file.path.endswith('.md'):
        return
    for line, match in lines_of(file.text, r'\]\(([^)\s#:]+)(?:#[^)]*)?\)'):
        if not (file.root / file.folder / match.group(1)).exists():
            yield line, f'{match.group(1)} is not there'
    for line, match in lines_of(file.text, r'`((?:shared|agent|coordinator|tests|docs|packaging)/[\w./-]*[\w/])`'):
        if match.group(1) not in MAY_USE and not (file.root / match.group(1)).exists():
            yield line, f'{match.group(1)} is not there'


RULES = {'banned': (banned, 'c'), 'pure': (pure, 'c'), 'includes': (include_table, 'c'), 'prefix': (prefix, 'c'),
         'opening': (opening, 'c'), 'elsewhere': (elsewhere, 'all'), 'undone': (undone, 'all'), 'text': (text, 'all'),
         'documents': (document_links, 'all')}


# ---- running ---------------------------------------------------------------------------------------------------------------

def paths_of_checkout():
    names = subprocess.check_output(['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'], text=True).split('\0')
    return sorted(n for n in names if n and not n.startswith(NOT_OURS) and pathlib.Path(n).is_file() and is_text(n))


def is_text(name):
    with open(name, 'rb') as file:
        return b'\0' not in file.read(4096)


def findings(root, paths, rules):
    for path in paths:
        file = File(root, path)
        for name in rules:
            check, kind = RULES[name]
            if kind == 'all' or file.is_c:
                for line, why in check(file):
                    yield f'{path}:{line}: {name}: {why}'


def check_tree(name, root):
    """How many files of a bad tree the rule lets pass; a tree without files counts as one."""
    paths = sorted(str(p.relative_to(root)) for p in root.rglob('*') if p.is_file())
    bad = 0 if paths else 1
    for path in paths:
        found = list(findings(root, [path], [name]))
        print(f'{"ok" if found else "not ok"} {path} is refused by {name}: {found[0] if found else "nothing found"}')
        bad += not found
    return bad


def check_fixtures():
    bad = 0
    for name in RULES:
        with tempfile.TemporaryDirectory() as made:
            root = pathlib.Path(made) if name in MADE else FIXTURES / name
            for path, content in MADE.get(name, {}).items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(content)
            bad += check_tree(name, root)
    return 1 if bad else 0


def main():
    if '--fixtures' in sys.argv[1:]:
        return check_fixtures()
    found = list(findings(pathlib.Path('.'), paths_of_checkout(), RULES))
    print('\n'.join(found))
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
