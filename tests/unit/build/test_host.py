from __future__ import annotations

import ctypes
import json
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from fakes import target
from layerforge.build import interpreters
from layerforge.build.engine import Engine, Job, Outcome
from layerforge.build.errors import EngineError
from layerforge.build.host import HostEngine
from layerforge.build.interpreters import Interpreter
from layerforge.build.machine import Machine, this_machine
from layerforge.core.runtimes import Arch, runtimes

RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
LAMBDA_LIKE = Machine(system="linux", processor="x86_64", glibc=(2, 36))


@pytest.fixture(scope="module", params=list(runtimes()))
def python(request: pytest.FixtureRequest) -> str:
    if interpreters.find(request.param) is None:
        pytest.skip(f"no CPython {request.param} on this machine")
    return str(request.param)


def an_interpreter(version: str = "3.13.5") -> Interpreter:
    return Interpreter(path=Path("/nonexistent/python"), version=version)


def run(
    opt: Path, program: str, *, python: str = RUNNING, timeout: float = 60.0, init: str = "", namespaces: bool = True
) -> Outcome:
    opt.chmod(0o755)  # as a layer is unpacked; the program may run as another user
    engine = HostEngine(interpreter=interpreters.find(python), machine=LAMBDA_LIKE, namespaces=namespaces)
    return engine.run(Job(target=target(python), opt=opt, init=init, program=program, timeout=timeout))


def is_enclosed() -> bool:
    """Whether this machine's kernel lets us have namespaces."""
    with tempfile.TemporaryDirectory() as name:
        return not run(Path(name), "").open


enclosed = pytest.mark.skipif(not is_enclosed(), reason="the kernel gives no namespaces")
ways = pytest.mark.parametrize("namespaces", [pytest.param(True, marks=enclosed), False])


def said(opt: Path, program: str, *, python: str = RUNNING, namespaces: bool = True) -> list[str]:
    outcome = run(opt, program, python=python, namespaces=namespaces)
    assert outcome.status == 0, outcome.output
    return outcome.output.splitlines()


def a_layer_module(opt: Path, name: str, text: str, *, folder: str = "python") -> None:
    path = opt / folder / f"{name}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_what_belongs_into_the_init_phase_runs_before_the_program_in_the_same_namespace(tmp_path: Path) -> None:
    init = "first = 1\nprint('init')\n"
    program = "import sys\nprint('then', first, sys.argv == [__file__], __name__)"
    assert run(tmp_path, program, init=init).output == "init\nthen 1 True __main__\n"
    failed = run(tmp_path, program, init="1 / 0")
    assert failed.status == 1
    assert "then" not in failed.output


@ways
def test_what_is_told_in_the_init_phase_can_be_read_from_no_file_and_no_input(tmp_path: Path, namespaces: bool) -> None:
    program = (
        "import os, sys\n"
        "found = [sys.stdin.read(), *os.environ.values(), *sys.argv, *getattr(sys, 'orig_argv', [])]\n"
        "found += [open(os.path.join(at, name)).read() for place in ('/var/task', os.path.dirname(__file__))\n"
        "          for at, _, names in os.walk(place) for name in names if name != 'maps']\n"
        "found.append(open('/proc/self/cmdline').read())\n"
        "print('secret' + '-word' in ''.join(found))\n"
    )
    outcome = run(tmp_path, program, init="word = 'secret-word'\n", namespaces=namespaces)
    assert outcome.output == "False\n"


def an_environment(opt: Path, env: Mapping[str, str], *, namespaces: bool) -> dict[str, str]:
    """The environment of a program that is given ``env``."""
    opt.chmod(0o755)
    engine = HostEngine(interpreter=interpreters.find(RUNNING), machine=LAMBDA_LIKE, namespaces=namespaces)
    program = "import json, os; print(json.dumps(dict(os.environ)))"
    outcome = engine.run(Job(target=target(RUNNING), opt=opt, program=program, timeout=60.0, env=env))
    found: dict[str, str] = json.loads(outcome.output)
    return found


@ways
def test_a_program_has_the_functions_variables_and_finds_what_they_name(tmp_path: Path, namespaces: bool) -> None:
    (tmp_path / "share").mkdir(0o755)
    given = {"DEMO_DATA": "/opt/share:/usr/share", "LEVEL": "a b"}
    found = an_environment(tmp_path, given, namespaces=namespaces)
    opt = "/opt" if namespaces else str(tmp_path)
    assert (found["DEMO_DATA"], found["LEVEL"]) == (f"{opt}/share:/usr/share", "a b")


@ways
def test_the_functions_variables_change_nothing_that_the_engine_decides(tmp_path: Path, namespaces: bool) -> None:
    plain = an_environment(tmp_path, {}, namespaces=namespaces)
    given = {"HOME": "/x", "PATH": "/x", "LD_LIBRARY_PATH": "/x"}
    changing = {"TMPDIR"}  # a folder of the run's own
    found = an_environment(tmp_path, given, namespaces=namespaces)
    assert {key: value for key, value in found.items() if key not in changing} == {
        key: value for key, value in plain.items() if key not in changing
    }


# --- refusals


def test_a_machine_like_lambda_is_not_refused() -> None:
    engine: Engine = HostEngine(interpreter=an_interpreter(), machine=LAMBDA_LIKE)
    assert engine.name == "host"
    assert engine.refusal(target("3.13")) == ""


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        (replace(LAMBDA_LIKE, system="darwin"), "darwin"),
        (replace(LAMBDA_LIKE, processor="aarch64"), "processor is aarch64, the layer's is x86_64"),
        (replace(LAMBDA_LIKE, processor="riscv64"), "riscv64"),
        (replace(LAMBDA_LIKE, glibc=(2, 31)), "glibc 2.31 is older than Lambda's 2.34"),
        (replace(LAMBDA_LIKE, glibc=(2, 4)), "glibc 2.4 is older than Lambda's 2.34"),
        (replace(LAMBDA_LIKE, glibc=None), "not glibc"),
    ],
)
def test_a_machine_that_cannot_run_the_code_says_why(machine: Machine, words: str) -> None:
    assert words in HostEngine(interpreter=an_interpreter(), machine=machine).refusal(target("3.13"))


def test_an_older_runtime_takes_an_older_glibc() -> None:
    machine = replace(LAMBDA_LIKE, glibc=(2, 31))
    assert HostEngine(interpreter=an_interpreter("3.11.9"), machine=machine).refusal(target("3.11")) == ""


@pytest.mark.parametrize("processor", ["aarch64", "arm64"])
def test_an_arm_machine_runs_arm_layers(processor: str) -> None:
    machine = replace(LAMBDA_LIKE, processor=processor)
    assert HostEngine(interpreter=an_interpreter(), machine=machine).refusal(target("3.13", Arch.ARM64)) == ""


def test_another_interpreter_or_machine_is_another_identity() -> None:
    engines = [
        HostEngine(interpreter=interpreter, machine=machine)
        for interpreter in (None, an_interpreter("3.13.5"), an_interpreter("3.13.6"))
        for machine in (LAMBDA_LIKE, Machine(system="linux", processor="x86_64", glibc=(2, 37)))
    ]
    assert len({engine.identity for engine in engines}) == len(engines)


@pytest.mark.parametrize("interpreter", [None, an_interpreter("3.12.1"), an_interpreter("3.1.3")])
def test_without_the_targets_python_the_host_refuses(interpreter: Interpreter | None) -> None:
    refusal = HostEngine(interpreter=interpreter, machine=LAMBDA_LIKE).refusal(target("3.13"))
    assert refusal == "there is no CPython 3.13 on this machine"


def test_this_machine_is_described_as_it_is() -> None:
    machine = this_machine()
    assert (machine.system, machine.processor) == (sys.platform, platform.machine())
    assert machine.glibc is None or machine.glibc > (2, 0)


# --- runs


def test_modules_of_both_folders_of_the_layer_are_found(tmp_path: Path, python: str) -> None:
    a_layer_module(tmp_path, "one", "x = 1\n")
    a_layer_module(tmp_path, "two", "x = 2\n", folder=f"python/lib/python{python}/site-packages")
    program = "import one, two, sys\nprint(one.x, two.x, '%d.%d' % sys.version_info[:2])\n"
    assert said(tmp_path, program, python=python) == [f"1 2 {python}"]


def test_the_layer_comes_before_the_standard_library_as_on_lambda(tmp_path: Path) -> None:
    a_layer_module(tmp_path, "this", "print('shadowed')\n")
    assert said(tmp_path, "import this\n") == ["shadowed"]


@ways
def test_the_runtimes_packages_come_behind_the_layer_where_a_job_brings_them(
    tmp_path: Path,
    namespaces: bool,
) -> None:
    opt, runtime = tmp_path / "opt", tmp_path / "runtime"
    for folder, names in ((opt / "python", ("one",)), (runtime, ("one", "two"))):
        folder.mkdir(parents=True)
        for name in names:
            (folder / f"{name}.py").write_text(f"HERE = {folder.name!r}\n")
    for folder in (opt, runtime):
        folder.chmod(0o755)
    engine = HostEngine(interpreter=interpreters.find(RUNNING), machine=LAMBDA_LIKE, namespaces=namespaces)
    program = "import one, two, sys\nprint(one.HERE, two.HERE, sys.path[2])\n"
    job = Job(target=target(RUNNING), opt=opt, program=program, timeout=60.0, runtime=runtime)
    outcome = engine.run(job)
    place = "/var/runtime" if namespaces else str(runtime)
    assert outcome.output.split() == ["python", "runtime", place], outcome.output
    alone = engine.run(replace(job, runtime=None))
    assert "No module named 'two'" in alone.output


def test_nothing_installed_on_this_machine_is_visible(tmp_path: Path) -> None:
    program = "import sys\nfor p in sys.path: print(p)\ntry:\n    import pytest\nexcept ImportError: print('none')\n"
    lines = said(tmp_path, program)
    assert lines[-1] == "none"
    outside = [line for line in lines[:-1] if not line.startswith((str(tmp_path), "/opt/"))]
    assert not any("site-packages" in line or "dist-packages" in line for line in outside)


def test_no_variable_of_this_process_reaches_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "PYTHONPATH", "MPLCONFIGDIR", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "/secret")
    program = "import os\nfor pair in sorted(os.environ.items()): print(*pair)\n"
    found = dict(line.split(" ", 1) for line in said(tmp_path, program))
    assert "/secret" not in found.values()
    assert set(found) <= {"HOME", "LANG", "LC_CTYPE", "LD_LIBRARY_PATH", "PATH", "TMPDIR"}


PROBE = """
import ctypes, ctypes.util, os, shutil, socket
def tried(what, *args):
    try: return what(*args) or 'yes'
    except OSError: return 'no'
print(shutil.which('git'), shutil.which('ls'))
print(ctypes.util.find_library('magic'), tried(ctypes.CDLL, 'libmagic.so.1'), tried(ctypes.CDLL, 'libz.so.1') != 'no')
print(tried(os.makedirs, os.path.expanduser('~/.cache')), tried(os.listdir, os.path.expanduser('~')))
print(tried(open, 'here', 'w'), tried(open, '/opt/there', 'w'))
print(len([name for name in os.listdir('/proc') if name.isdigit()]) <= 3, os.path.exists('/dev/shm'))
print(tried(socket.create_connection, ('192.0.2.1', 80), 1), sorted(name for _, name in socket.if_nameindex()))
print(os.getuid(), os.path.exists('/home'), os.path.exists('/usr/bin/git'), tried(os.setuid, 0))
print(tried(open, '/proc/sys/kernel/core_pattern', 'w'))
"""


@enclosed
def test_a_program_sees_the_layer_and_what_lambda_has_and_nothing_else(tmp_path: Path) -> None:
    assert said(tmp_path, PROBE) == [
        "None None",
        "None no True",
        "no no",
        "no no",
        "True False",
        "no ['lo']",
        "993 False False no",
        "no",
    ]


@enclosed
def test_the_layer_lies_where_it_does_on_lambda(tmp_path: Path) -> None:
    a_layer_module(tmp_path, "one", "")
    assert said(tmp_path, "import one, os\nprint(one.__file__, os.getcwd())\n") == ["/opt/python/one.py /var/task"]


@enclosed
def test_a_layer_is_open_to_the_program_whatever_the_umask_was_when_its_folder_was_made(tmp_path: Path) -> None:
    a_layer_module(tmp_path / "opt", "mine", "")
    (tmp_path / "opt").chmod(0o700)
    assert said(tmp_path / "opt", "import mine; print('found')") == ["found"]


def test_the_standard_library_and_its_own_libraries_are_there(tmp_path: Path, python: str) -> None:
    program = "import ctypes.util, hashlib, lzma, sqlite3, ssl, zlib\nprint(ctypes.util.find_library('c'))\n"
    assert said(tmp_path, program, python=python) == ["libc.so.6"]


@enclosed
def test_what_a_layer_leaves_running_ends_with_the_run(tmp_path: Path) -> None:
    program = (
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(600)\n"
        "    os._exit(0)\nprint('done')\n"
    )
    assert said(tmp_path, program) == ["done"]


@enclosed
@pytest.mark.skipif(shutil.which("unshare") is None, reason="no unshare")
def test_a_user_without_rights_is_shut_off_as_an_administrator_is(tmp_path: Path) -> None:
    lines = f"import sys\nsys.path[:0] = {sys.path!r}\nfrom test_host import *\n"
    lines += f"print(*said(Path({str(tmp_path)!r}), PROBE), sep='\\n')"
    # In a namespace of its own a user is called root, and knows nobody else.
    argv = ["unshare", "--map-root-user", sys.executable, "-c", lines]
    shown = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    assert shown.stdout.splitlines() == said(tmp_path, PROBE), shown.stderr


def test_where_nothing_can_be_shut_off_what_was_loaded_of_the_machine_is_named(tmp_path: Path) -> None:
    extra = next((name for name in ("libmagic.so.1", "libgomp.so.1", "libselinux.so.1") if _there(name)), None)
    if extra is None:
        pytest.skip("this machine has none of the libraries")
    program = f"import ctypes, zlib, ssl\nctypes.CDLL('libz.so.1')\nctypes.CDLL({extra!r})\n"
    outcome = run(tmp_path, program, namespaces=False)
    assert outcome.status == 0, outcome.output
    assert outcome.foreign
    assert any(extra.partition(".")[0] in one for one in outcome.foreign)
    assert not any("libz" in one for one in outcome.foreign)
    assert "in sight" in outcome.open


def _there(name: str) -> bool:
    try:
        return bool(ctypes.CDLL(name))
    except OSError:
        return False


def test_a_run_that_loads_what_lambda_has_names_nothing(tmp_path: Path) -> None:
    assert run(tmp_path, "import ssl, sqlite3, zlib, ctypes\n", namespaces=False).foreign == ()


def test_programs_of_the_machine_are_not_found_and_nothing_can_be_written_at_home(tmp_path: Path) -> None:
    program = (
        "import os, shutil\nprint(shutil.which('git'), shutil.which('sh'))\n"
        "try: os.makedirs(os.path.expanduser('~/.cache'))\nexcept OSError: print('no home')\n"
    )
    assert said(tmp_path, program, namespaces=False) == ["None None", "no home"]


@ways
def test_a_program_has_bounds(tmp_path: Path, namespaces: bool) -> None:
    program = (
        "import resource\n"
        "for name in ('CORE', 'CPU', 'DATA', 'FSIZE', 'NOFILE'):\n"
        "    print(name, resource.getrlimit(getattr(resource, 'RLIMIT_' + name))[1])\n"
        "try: x = bytearray(10 * 2**30)\nexcept MemoryError: print('no memory')\n"
    )
    found = dict(line.split(" ") for line in said(tmp_path, program, namespaces=namespaces))
    assert found.pop("no") == "memory"
    assert all(int(most) >= 0 for most in found.values())
    assert (found["CORE"], found["NOFILE"], found["FSIZE"]) == ("0", "1024", str(512 * 2**20))


@ways
def test_the_working_folder_is_empty_and_gone_afterwards(tmp_path: Path, namespaces: bool) -> None:
    program = (
        "import os, tempfile\n"
        "print(tempfile.gettempdir(), os.listdir(tempfile.gettempdir()))\n"
        "open(os.path.join(tempfile.gettempdir(), 'left-by-a-test'), 'w').close()\n"
        "print(os.listdir('.'))\n"
    )
    folder, work = said(tmp_path, program, namespaces=namespaces)
    assert folder.endswith(" []")
    assert work == ("['program.py']" if namespaces else "[]")
    assert not (Path(folder.split(" ")[0]) / "left-by-a-test").exists()


def test_the_folders_go_when_the_program_is_killed_too(tmp_path: Path) -> None:
    outcome = run(tmp_path, "import os, signal\nprint(os.getcwd())\nos.kill(os.getpid(), signal.SIGKILL)\n")
    assert outcome.status == -9
    assert not Path(outcome.output.splitlines()[0]).exists()


def test_the_program_is_main_and_has_no_arguments(tmp_path: Path) -> None:
    program = (
        "from __future__ import annotations\n"
        "print(__name__, [n for n in dir() if not n.startswith('__')], __file__.rpartition('/')[2])\n"
        "import sys\nprint(len(sys.argv), sys.modules['__main__'].__file__ == __file__)\n"
    )
    assert said(tmp_path, program) == ["__main__ ['annotations'] program.py", "1 True"]


def test_both_outputs_are_one_in_the_order_of_writing(tmp_path: Path) -> None:
    program = "import sys\nfor n in range(3):\n    print(n)\n    print(n, 'err', file=sys.stderr)\n"
    assert said(tmp_path, program) == ["0", "0 err", "1", "1 err", "2", "2 err"]


def test_a_failing_program_shows_the_line_that_failed(tmp_path: Path) -> None:
    outcome = run(tmp_path, "x = 1\nimport not_in_the_layer\n")
    assert outcome.status == 1
    assert "line 2" in outcome.output
    assert "import not_in_the_layer" in outcome.output
    assert "ModuleNotFoundError" in outcome.output


def test_the_exit_status_is_the_programs(tmp_path: Path) -> None:
    assert run(tmp_path, "raise SystemExit(7)\n").status == 7


def test_a_crash_is_a_negative_status_with_the_place_it_happened_at(tmp_path: Path) -> None:
    a_layer_module(tmp_path, "crashing", "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    outcome = run(tmp_path, "import crashing\n")
    assert outcome.status == -11
    assert "crashing.py" in outcome.output


def test_a_program_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    outcome = run(tmp_path, "print('started')\nimport time\ntime.sleep(600)\n", timeout=2.0)
    assert outcome.timed_out
    assert outcome.status == -9
    assert outcome.output == "started\n"
    assert outcome.seconds < 300


def test_no_bytecode_is_written_into_the_layer(tmp_path: Path) -> None:
    a_layer_module(tmp_path, "one", "x = 1\n")
    said(tmp_path, "import one\n")
    assert [path.name for path in tmp_path.rglob("*")] == ["python", "one.py"]


def test_a_relative_layer_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_layer_module(tmp_path / "opt", "one", "x = 1\n")
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    assert said(Path("opt"), "import one\nprint(one.x)\n") == ["1"]


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no compiler")
def test_a_shared_library_of_the_layer_is_found_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "tiny.c").write_text("int answer(void) { return 42; }\n")
    (tmp_path / "lib").mkdir()
    library = str(tmp_path / "lib" / "libtiny-layer.so")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, str(tmp_path / "tiny.c")], check=True)
    assert said(tmp_path, "import ctypes\nprint(ctypes.CDLL('libtiny-layer.so').answer())\n") == ["42"]


@pytest.mark.parametrize("interpreter", [None, an_interpreter()])
def test_a_run_without_a_working_interpreter_is_an_engine_error_and_leaves_nothing_behind(
    tmp_path: Path, interpreter: Interpreter | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    engine = HostEngine(interpreter=interpreter, machine=LAMBDA_LIKE)
    with pytest.raises(EngineError, match=r"no CPython 3\.13|cannot be started"):
        engine.run(Job(target=target("3.13"), opt=tmp_path, program="", timeout=5.0))
    assert list(tmp_path.iterdir()) == []


def an_odd_interpreter(folder: Path, run: str, libraries: str = "") -> Interpreter:
    """A program that is started as an interpreter is, and does something else; it says that it is made of itself."""
    path = folder / "python"
    made = json.dumps({"executable": str(path), "paths": [], "libraries": [str(folder / "absent.so"), str(path)]})
    say = libraries or f"echo '{made}'"
    path.write_text(f'#!/bin/sh\nif [ "$6" = libraries ]; then\n{say}\nelse\n{run}\nfi\n')
    path.chmod(0o755)
    return Interpreter(path=path, version="3.13.5")


def run_oddly(folder: Path, interpreter: Interpreter) -> Outcome:
    (folder / "opt").mkdir()
    engine = HostEngine(interpreter=interpreter, machine=LAMBDA_LIKE, namespaces=False)
    return engine.run(Job(target=target("3.13"), opt=folder / "opt", program="", timeout=5.0))


def test_an_interpreter_that_does_not_say_what_it_is_made_of_is_told_with_its_last_words(tmp_path: Path) -> None:
    interpreter = an_odd_interpreter(tmp_path, "exit 0", "seq 20 >&2; exit 3")
    with pytest.raises(EngineError, match="does not say what it is made of") as caught:
        run_oddly(tmp_path, interpreter)
    assert caught.value.details == tuple(str(number) for number in range(9, 21))


def test_a_run_that_cannot_be_shut_off_is_no_outcome_of_the_layer(tmp_path: Path) -> None:
    interpreter = an_odd_interpreter(tmp_path, 'echo "layerforge-enclosure: no more namespaces" >&2; exit 125')
    with pytest.raises(EngineError, match="the run could not be shut off: layerforge-enclosure: no more namespaces"):
        run_oddly(tmp_path, interpreter)


def test_a_program_may_end_with_any_status_of_its_own(tmp_path: Path) -> None:
    outcome = run_oddly(tmp_path, an_odd_interpreter(tmp_path, 'echo out; echo "layer failed" >&2; exit 125'))
    assert (outcome.status, outcome.output) == (125, "out\nlayer failed\n")
    assert outcome.foreign == (), "what never told of its libraries had none that could be named"
