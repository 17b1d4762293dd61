"""Runs real unpicklers over streams and tells which globals they ask for.

Reads from stdin: for each stream four bytes of little-endian length and the
stream. Writes one line of JSON for each: the (module, name) pairs that the C
and the Python unpickler of this interpreter asked find_class for before they
stopped. find_class imports nothing: it returns an inert class.
"""
from __future__ import print_function
import io, json, pickle, struct, sys, warnings

warnings.simplefilter("ignore")

try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29))
except Exception:
    pass


class Inert(object):
    def __new__(cls, *a, **k):
        return object.__new__(cls)

    def __init__(self, *a, **k):
        pass

    def __call__(self, *a, **k):
        return Inert()

    def __setstate__(self, s):
        pass

    def __setitem__(self, k, v):
        pass

    def append(self, v):
        pass

    def extend(self, v):
        pass

    def add(self, v):
        pass


def unpicklers(data, seen):
    def find_class(self, module, name):
        seen.add((module, name))
        return Inert

    def persistent_load(self, pid):
        return Inert()

    body = {"find_class": find_class, "persistent_load": persistent_load}
    if sys.version_info[0] == 2:
        import cPickle
        yield type("P", (pickle.Unpickler, object), body)(io.BytesIO(data))
        for f in (io.BytesIO(data),):
            import StringIO
            u = cPickle.Unpickler(StringIO.StringIO(data))
            u.find_global = lambda m, n: find_class(None, m, n)
            u.persistent_load = lambda pid: Inert()
            yield u
        return
    for base in (pickle.Unpickler, pickle._Unpickler):
        cls = type("U", (base,), body)
        for kw in ({}, {"encoding": "latin1"}, {"encoding": "bytes"}):
            yield cls(io.BytesIO(data), **kw)
        yield cls(io.BufferedReader(io.BytesIO(data)))


stdin = getattr(sys.stdin, "buffer", sys.stdin)
while True:
    head = stdin.read(4)
    if len(head) < 4:
        break
    data = stdin.read(struct.unpack("<I", head)[0])
    seen = set()
    for u in unpicklers(data, seen):
        try:
            u.load()
        except BaseException:
            pass
    if sys.version_info[0] == 2:
        seen = set((m.decode("latin1"), n.decode("latin1")) for m, n in seen)
    print(json.dumps(sorted(seen)))
