"""Runs real unpicklers over streams and tells which globals they ask for.

Reads from stdin: for each stream four bytes of little-endian length and the
stream. Writes one line of JSON for each: the (module, name) pairs that the C
and the Python unpickler of this interpreter asked find_class for before they
stopped. find_class imports nothing: it returns an inert class.

Each unpickler reads a stream twice, up to four pickles in a row: as one object
that keeps its memo from one load() to the next, and as a new one for each.
"""
from __future__ import print_function
import gc, io, json, pickle, struct, sys, warnings

warnings.simplefilter("ignore")
gc.set_threshold(100000)

try:
    import resource
    resource.setrlimit(resource.RLIMIT_DATA, (1 << 26, 1 << 26))
except Exception:
    pass

seen = set()  # what the stream at hand asked for
PICKLES = 4


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


def find_class(self, module, name):
    seen.add((module, name))
    return Inert


def persistent_load(self, pid):
    return Inert()


body = {"find_class": find_class, "persistent_load": persistent_load}


def run(make, stream, data, **kw):
    end = len(data)
    try:
        f = stream(data)
        load = make(f, **kw).load
        load()
        end = f.tell()
        for _ in range(PICKLES - 1):
            load()
    except BaseException:
        pass
    if end < len(data):
        try:
            f = stream(data)
            f.seek(end)
            for _ in range(PICKLES - 1):
                make(f, **kw).load()
        except BaseException:
            pass


def python3():
    class Py(pickle._Unpickler):
        locals().update(body)

        def _decode_string(self, value):
            # Encodings matter to these strings only.
            Py.decodes = True
            return pickle._Unpickler._decode_string(self, value)

    C = type("C", (pickle.Unpickler,), body)
    others = [{"encoding": "latin1"}, {"encoding": "bytes"}]

    def peekable(data):
        return io.BufferedReader(io.BytesIO(data))

    def each(data):
        run(C, io.BytesIO, data)
        run(C, peekable, data)
        Py.decodes = False
        run(Py, io.BytesIO, data)
        for kw in others:
            run(C, io.BytesIO, data, **kw)
            if Py.decodes and len(data) % 4 == 0:  # a sample, for it takes time
                run(Py, io.BytesIO, data, **kw)

    return each


def python2():
    import cPickle, StringIO
    Py = type("Py", (pickle.Unpickler, object), body)

    def C(f):
        u = cPickle.Unpickler(f)
        u.find_global = lambda m, n: find_class(None, m, n)
        u.persistent_load = lambda pid: Inert()
        return u

    def each(data):
        run(Py, io.BytesIO, data)
        run(C, StringIO.StringIO, data)

    return each


def main():
    stdin = getattr(sys.stdin, "buffer", sys.stdin)
    each = python2() if sys.version_info[0] == 2 else python3()
    answers = []
    while True:
        head = stdin.read(4)
        if len(head) < 4:
            break
        each(stdin.read(struct.unpack("<I", head)[0]))
        pairs = sorted(seen)
        seen.clear()
        if sys.version_info[0] == 2:
            pairs = [(m.decode("latin1"), n.decode("latin1")) for m, n in pairs]
        answers.append(json.dumps(pairs))
    print("\n".join(answers))


main()
