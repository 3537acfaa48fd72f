"""Starts a program where it sees a layer, an interpreter and what Lambda's runtime has, and nothing else.

``libraries`` tells what the interpreter on this machine is made of. ``run`` takes the order of ``build/host_view``,
JSON, and becomes the program of it: in namespaces of its own, with a root of its own, or in the plain way with limits
only. Standard library only, Python 3.10 to 3.14; it ends with the program's own status or signal.
"""

import ctypes
import fcntl
import json
import os
import resource
import signal
import socket
import struct
import sys
import sysconfig
from collections.abc import Sequence
from typing import Any, NoReturn

FAILED = "layerforge-enclosure: "
"""What the line begins with that says why the program could not be started. The status is 125 then."""

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = (
    0x20000,
    0x4000000,
    0x8000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT, BIND, REC, PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
KEPT = {2: 2, 4: 4, 8: 8, 1024: 1024, 2048: 2048, 4096: 1 << 21}
"""Flags of a mount that may be locked, as ``statvfs`` and as ``mount`` call them."""
DETACH = 2
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
USER, GROUP = 993, 990
DEVICES = ("null", "zero", "full", "random", "urandom")
FILES = {
    "/etc/passwd": f"root:x:0:0:root:/root:/bin/sh\nsbx_user1051:x:{USER}:{GROUP}::/home/sbx_user1051:/sbin/nologin\n",
    "/etc/group": f"root:x:0:\nsbx_user1051:x:{GROUP}:\n",
    "/etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "/etc/ld.so.conf": "/usr/lib64\n",
}

LIBC = ctypes.CDLL(None, use_errno=True)


# --- what there is


def libraries(names: Sequence[str]) -> dict[str, Any]:
    """The files that the interpreter is made of, and those that the loader finds for ``names`` and what they need.

    The interpreter's own extension modules count with what they need, but for those of windows, which take half a
    desktop.
    """
    folders = [path for path in sys.path if os.path.isdir(path)]
    modules = sorted(
        os.path.join(folder, name)
        for folder in folders
        for name in os.listdir(folder)
        if name.endswith(".so") and not name.startswith("_tkinter")
    )
    for name in (*names, *modules):
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        mapped = {line.split(None, 5)[5].rstrip("\n") for line in maps if line.count("/")}
    own = {os.path.realpath(path) for path in (sys.executable, *modules)}
    found = sorted(path for path in mapped - own if ".so" in os.path.basename(path) and os.path.isfile(path))
    executable = os.path.realpath(sys.executable)
    paths = [path for path in (sysconfig.get_path("stdlib"), *sys.path) if os.path.exists(path)]
    return {"executable": executable, "paths": sorted(set(paths)), "libraries": found}


# --- a root of its own


def call(name: str, *args: Any) -> None:
    """Calls a function of the C library. Raises ``OSError`` where it says so."""
    if getattr(LIBC, name)(*args) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """``mount(2)``."""
    call("mount", *(os.fsencode(one) for one in (source, target, kind)), ctypes.c_ulong(flags), os.fsencode(options))


def bind(source: str, root: str, target: str, *, devices: bool = False) -> None:
    """Shows a file or a folder of this machine below ``root``, to be read only."""
    place = root + target
    if os.path.isdir(source):
        os.makedirs(place, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "ab"):
            pass
    mount(source, place, "", BIND | REC)
    kept = sum(now for was, now in KEPT.items() if os.statvfs(place).f_flag & was)
    more = NOSUID if devices else NOSUID | NODEV | RDONLY
    mount("", place, "", BIND | REMOUNT | kept | more)


def furnish(root: str, order: dict[str, Any]) -> None:
    """Makes the root: memory that holds what was ordered and nothing else of this machine."""
    mount("", "/", "", REC | PRIVATE)
    mount("tmpfs", root, "tmpfs", NOSUID | NODEV, "mode=755,size=16m")
    for folder in ("usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "dev", "proc", "tmp", "etc", "var/task", "opt"):
        os.makedirs(os.path.join(root, folder))
    for name in ("bin", "sbin", "lib", "lib64"):
        os.symlink(f"usr/{name}", os.path.join(root, name))
    for path in order["own"]:
        bind(path, root, path)
    for path in order["hidden"]:
        mount("tmpfs", root + path, "tmpfs", NOSUID | NODEV | RDONLY, "size=4k")
    for target, source in order["shown"].items():
        bind(source, root, target)
    for link, path in order["links"].items():
        if not os.path.lexists(root + link):
            os.symlink(path, root + link)
    for name in DEVICES:
        bind(f"/dev/{name}", root, f"/dev/{name}", devices=True)
    for path, text in FILES.items():
        with open(root + path, "w", encoding="utf-8") as file:
            file.write(text)
    mount("tmpfs", root + "/tmp", "tmpfs", NOSUID | NODEV, "mode=1777,size=512m")  # noqa: S108
    mount("proc", root + "/proc", "proc", NOSUID | NODEV | NOEXEC | RDONLY)


def enter(root: str) -> None:
    """Makes ``root`` the root, lets go of the old one, and lets nothing be written there any more."""
    os.chdir(root)
    call("syscall", ctypes.c_long(PIVOT_ROOT), b".", b".")
    call("umount2", b".", DETACH)
    os.chdir("/")
    if os.path.exists("/sbin/ldconfig"):
        # A cache of the libraries that there are, which is where ctypes.util.find_library looks.
        os.spawnve(os.P_WAIT, "/sbin/ldconfig", ["ldconfig", "-X"], {})
    mount("", "/", "", REMOUNT | BIND | RDONLY | NOSUID | NODEV)


PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}.get(os.uname().machine, 155)


def loopback() -> None:
    """Brings up the address of this machine for itself, which is all the network that there is."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        fcntl.ioctl(one, 0x8914, struct.pack("16sh14x", b"lo", 0x41))


# --- the program


def confine(limits: dict[str, int]) -> None:
    """Sets the limits of a program, and makes it the first one to end where the machine's memory runs out."""
    for name, most in {**limits, "CORE": 0}.items():
        number = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(number)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(number, (most, most))
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="utf-8") as file:
            file.write("1000")
    except OSError:
        pass  # in a root of its own these are for reading only, and the one before has set it
    LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def become(order: dict[str, Any]) -> NoReturn:
    """Becomes the program. A user of its own name has no rights from there on, in its namespaces either."""
    os.chdir(order["cwd"])
    os.execve(order["argv"][0], order["argv"], order["env"])


def others_known() -> bool:
    """Whether there are more users here than the administrator, which is not so in the namespace of one user."""
    for name, wanted in (("uid_map", USER), ("gid_map", GROUP)):
        with open(f"/proc/self/{name}", encoding="utf-8") as file:
            rows = [[int(number) for number in line.split()] for line in file]
        if not any(first <= wanted < first + count for first, _, count in rows):
            return False
    return True


def separate() -> bool:
    """Leaves this machine's namespaces. Whether the real user is an administrator, who can become somebody else."""
    apart = NEWNS | NEWUTS | NEWIPC | NEWPID | NEWNET
    if os.geteuid() == 0 and others_known():
        try:
            call("unshare", apart)
        except OSError:
            pass
        else:
            return True
    user, group = os.geteuid(), os.getegid()
    call("unshare", apart | NEWUSER)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{USER} {user} 1"),
        ("gid_map", f"{GROUP} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="utf-8") as file:
            file.write(text)
    return False


def first(order: dict[str, Any], administrator: bool, told: int) -> None:  # noqa: FBT001
    """The first process of the namespaces: makes the root, starts the program, and tells how that ended."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    loopback()
    furnish(order["root"], order)
    enter(order["root"])
    child = os.fork()
    if not child:
        confine(order["limits"])
        if administrator:
            os.setgroups([])
            os.setresgid(GROUP, GROUP, GROUP)
            os.setresuid(USER, USER, USER)
        become(order)
    while True:
        ended, status = os.wait()
        if ended == child:
            os.write(told, str(status).encode())
            return


def guarded(order: dict[str, Any], administrator: bool, told: int) -> NoReturn:  # noqa: FBT001
    """``first``, whatever happens there."""
    try:
        first(order, administrator, told)
    except BaseException as error:  # a second copy of this program must not go on
        os.write(told, f"{FAILED}{error}\n".encode())
    finally:
        os._exit(0)


def end_as(status: int) -> NoReturn:
    """Ends as a child has ended."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status))


def refuse(reason: str) -> NoReturn:
    """Ends before the program was started."""
    print(FAILED + reason, file=sys.stderr, flush=True)
    os._exit(125)


def enclosed(order: dict[str, Any]) -> NoReturn:
    """The program in namespaces of its own, which end with it, and with them all that it has started."""
    confine({})
    reading, told = os.pipe()
    try:
        administrator = separate()
        child = os.fork()
    except OSError as error:
        refuse(str(error))
    if not child:
        os.close(reading)
        guarded(order, administrator, told)
    os.close(told)
    with open(reading, "rb") as answers:
        answer = answers.read().decode("utf-8", "replace").partition("\n")[0]
    os.waitpid(child, 0)
    if answer.startswith(FAILED) or not answer:
        refuse(answer.removeprefix(FAILED) or "the first process ended")
    end_as(int(answer))


def main() -> None:
    """Does what the arguments say."""
    what, text = sys.argv[1:3]
    order = json.loads(text)
    if what == "libraries":
        print(json.dumps(libraries(order)))
    elif order["root"]:
        enclosed(order)
    else:
        confine(order["limits"])
        become(order)


if __name__ == "__main__":
    main()
