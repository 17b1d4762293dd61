package pickle

import (
	"fmt"
	"strings"
	"testing"

	"modelwall/scan"
	"modelwall/scan/scantest"
)

// gadgets are callables that public lists and reports know, by module. Each is
// worth a block when a pickle calls it.
const gadgets = `
__builtin__ eval exec execfile compile open apply input reduce map filter
builtins eval exec compile open input breakpoint globals locals vars setattr delattr __import__
os system popen execv execve fork kill remove unlink rename rmdir chmod putenv
posix system popen execv
nt system
subprocess Popen call check_call check_output run getoutput
commands getoutput
pty spawn
runpy run_module run_path _run_code
code interact InteractiveInterpreter InteractiveInterpreter.runcode
codeop compile_command
timeit timeit Timer
profile run runctx Profile.runctx
cProfile run runctx
trace Trace.run Trace.runctx
bdb Bdb.run
pdb run runcall
doctest debug_script testmod
pydoc locate pager pipepager
pkgutil resolve_name get_data
importlib import_module reload
importlib._bootstrap _load
imp load_source load_dynamic
zipimport zipimporter
marshal loads
types FunctionType CodeType MethodType ModuleType
ctypes CDLL cdll.LoadLibrary pythonapi
_ctypes CFuncPtr
socket socket create_connection
ssl get_server_certificate
urllib urlopen urlretrieve
urllib.request urlopen urlretrieve
urllib2 urlopen
http.client HTTPSConnection HTTPConnection
httplib HTTPConnection
requests get post
requests.api get
aiohttp request
ftplib FTP
smtplib SMTP
imaplib IMAP4_stream
telnetlib Telnet
webbrowser open
asyncio run create_subprocess_shell
asyncio.unix_events _UnixSubprocessTransport._start
multiprocessing Process Pool
multiprocessing.util spawnv_passfds
_posixsubprocess fork_exec
concurrent.futures ThreadPoolExecutor
threading Thread Timer
_thread start_new_thread
signal signal
atexit register
shutil rmtree copyfile move unpack_archive
tempfile mkstemp NamedTemporaryFile
glob glob
fileinput input
linecache getlines
io open open_code FileIO
_io open FileIO
_pyio open
codecs open
logging FileHandler
logging.config dictConfig fileConfig listen
logging.handlers RotatingFileHandler SocketHandler
pickle loads load Unpickler
_pickle loads load
cPickle loads
shelve open
operator attrgetter methodcaller
_operator attrgetter methodcaller
functools reduce
copyreg add_extension pickle
sys modules settrace exit
inspect getattr_static currentframe
gc get_objects
uuid _get_command_stdout _popen
_aix_support _read_cmd_output
_osx_support _read_output _find_build_tool
_pyrepl.pager pipe_pager
test.support.script_helper assert_python_ok
distutils.file_util write_file
distutils.spawn spawn
setuptools setup
ensurepip _run_pip
pip main
pip._internal main
venv create
lib2to3.pgen2.grammar Grammar.loads
lib2to3.pgen2.pgen ParserGenerator.make_label
idlelib.pyshell ModifiedInterpreter.runcommand ModifiedInterpreter.runcode
idlelib.run Executive.runcode
idlelib.calltip Calltip.fetch_tip get_entity
idlelib.autocomplete AutoComplete.get_entity AutoComplete.fetch_completions
idlelib.debugobj ObjectTreeItem.SetText
_interpreters run_string create exec
_xxsubinterpreters run_string
site main addsitedir
numpy load fromfile savetxt loadtxt genfromtxt
numpy.f2py compile
numpy.f2py.crackfortran getlincoef myeval param_eval _eval_length
numpy.testing._private.utils runstring
numpy.lib.npyio load
numpy.lib.utils safe_eval
numpy.distutils.exec_command exec_command
numpy.ctypeslib load_library
torch load save compile
torch.hub load download_url_to_file load_state_dict_from_url
torch.jit load script
torch.jit.unsupported_tensor_ops execWrapper
torch.serialization load _load
torch.package PackageImporter
torch._dynamo.guards GuardBuilder.get
torch._inductor.codecache compile_file
torch.fx.graph_module reduce_graph_module _forward_from_src
torch.fx.experimental.symbolic_shapes ShapeEnv.evaluate_guards_expression
torch.utils.collect_env run run_and_read_all
torch.utils.bottleneck.__main__ run_cprofile run_autograd_prof
torch.utils._config_module ConfigModule.load_config
torch.utils.cpp_extension load load_inline
torch.utils.data.datapipes.utils.decoder basichandlers
torch.utils.model_zoo load_url
torch.distributed.rpc rpc_sync
torch.multiprocessing spawn
torch.ops load_library
torch._C _jit_script_compile
pandas read_pickle read_csv eval
pandas.io.pickle read_pickle
pandas.io.common get_handle
pandas.core.computation.eval eval
pandas DataFrame.query DataFrame.eval DataFrame.to_pickle
scipy.io loadmat
scipy LowLevelCallable
sklearn.datasets load_files fetch_openml
joblib load dump Parallel Memory
joblib.numpy_pickle load
joblib.memory Memory
joblib.parallel Parallel
dill loads load
dill._dill loads _eval_repr _create_filehandle
cloudpickle loads load
keras.utils get_file
nltk.data load
nltk.downloader download
gensim.utils unpickle check_output
spacy.util load_model
spacy.cli.download download
transformers.dynamic_module_utils get_class_from_dynamic_module
huggingface_hub snapshot_download
datasets load_dataset
numba jit
sympy sympify
numexpr evaluate
jinja2 Template
yaml load unsafe_load
hydra.utils instantiate
IPython start_ipython
fire Fire
psutil Popen
sh Command
paramiko SSHClient
pexpect spawn
plumbum local
git Repo.clone_from
docker from_env
cffi FFI
triton compile
tensorflow load_op_library
fickling.hook run_hook
picklescan.scanner scan_file
random _os.system
torch.serialization os.system
collections _sys.modules
numpy __builtins__
pathlib os.system
sklearn.utils os.system
`

func TestGadgets(t *testing.T) {
	s := New()
	for _, line := range strings.Split(strings.TrimSpace(gadgets), "\n") {
		f := strings.Fields(line)
		for _, name := range f[1:] {
			for how, data := range map[string][]byte{
				"REDUCE":       cat(proto(4), stackGlob(f[0], name), tuple(sbu("id")), "R."),
				"OBJ":          cat("(", glob(f[0], name), "S'id'\no."),
				"INST":         cat("(S'id'\ni", f[0], "\n", name, "\n."),
				"NEWOBJ":       cat(proto(2), glob(f[0], name), tuple(bu("id")), "\x81."),
				"getattr":      cat(proto(2), glob("builtins", "getattr"), tuple(glob("builtins", "object"), bu("x")), "R0", glob(f[0], name), tuple(bu("id")), "R."),
				"partial":      cat(proto(2), glob("functools", "partial"), tuple(glob(f[0], name), bu("id")), "R."),
				"factory":      cat(proto(2), glob("collections", "defaultdict"), tuple(glob(f[0], name)), "R."),
				"apply":        cat(proto(2), glob("torch._tensor", "_rebuild_from_type_v2"), tuple(glob(f[0], name), glob("torch", "Tensor"), tuple(bu("id")), "}"), "R."),
				"as attribute": cat(proto(2), glob("sklearn.pipeline", "Pipeline"), ")\x81", dict(bu("f"), glob(f[0], name)), "b."),
			} {
				r, err := scantest.Scan(s, "x", data)
				if err != nil || r.Worst() != scan.SeverityMalicious {
					t.Errorf("%s %s by %s: %v, %v\n%+v", f[0], name, how, err, r.Worst(), r.Findings)
				}
			}
		}
	}
}

// Nothing that no table knows may be called in silence, whatever it is named.
func TestUnknownCallables(t *testing.T) {
	s := New()
	for _, path := range []string{"evil.thing", "__main__.Net", "torch.new_function", "numpy.helper", "sklearn.unlisted", "builtins.unlisted", "transformers.models.helper", "a.B"} {
		for _, w := range protocols {
			for _, body := range []string{w.call(path), w.call(path, "I1\n"), w.partial(path), w.object("sklearn.pipeline.Pipeline", "f", w.call(path))} {
				r, err := scantest.Scan(s, "x", []byte(w.file(body)))
				if err != nil || r.Worst() < scan.SeveritySuspicious {
					t.Errorf("%s: %v, %v", fmt.Sprintf("%q", body), err, r.Worst())
				}
			}
		}
	}
}
