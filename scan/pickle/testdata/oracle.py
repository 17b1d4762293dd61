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


def ignore(*a, **k):
    pass


class Meta(type):
    __setitem__ = ignore


class Base(object):
    def __new__(cls, *a, **k):
        return object.__new__(cls)

    def __init__(self, *a, **k):
        pass

    def __call__(self, *a, **k):
        return Inert()

    def __setitem__(self, k, v):
        pass


# Whatever a stream does to a class or an instance works.
Inert = Meta("Inert", (Base,), {
    "__setstate__": staticmethod(ignore), "append": staticmethod(ignore),
    "extend": staticmethod(ignore), "add": staticmethod(ignore)})


def unpicklers(seen):
    """Yields functions that load one pickle of a stream, and the stream's type."""
    def find_class(self, module, name):
        seen.add((module, name))
        return Inert

    def persistent_load(self, pid):
        return Inert()

    body = {"find_class": find_class, "persistent_load": persistent_load}
    if sys.version_info[0] == 2:
        import cPickle, StringIO

        def c_load(f):
            u = cPickle.Unpickler(f)
            u.find_global = lambda m, n: find_class(None, m, n)
            u.persistent_load = lambda pid: Inert()
            return u.load()
        cls = type("P", (pickle.Unpickler, object), body)
        yield (lambda f: cls(f).load()), io.BytesIO
        yield c_load, StringIO.StringIO
        return
    for base in (pickle.Unpickler, pickle._Unpickler):
        cls = type("U", (base,), body)
        for kw in ({}, {"encoding": "latin1"}, {"encoding": "bytes"}):
            yield (lambda f: cls(f, **kw).load()), io.BytesIO
        yield (lambda f: cls(f).load()), lambda data: io.BufferedReader(io.BytesIO(data))


stdin = getattr(sys.stdin, "buffer", sys.stdin)
while True:
    head = stdin.read(4)
    if len(head) < 4:
        break
    data = stdin.read(struct.unpack("<I", head)[0])
    seen = set()
    for load, stream in unpicklers(seen):
        f = stream(data)
        try:
            for _ in range(4):  # pickles in a row
                load(f)
        except BaseException:
            pass
    if sys.version_info[0] == 2:
        seen = set((m.decode("latin1"), n.decode("latin1")) for m, n in seen)
    print(json.dumps(sorted(seen)))
