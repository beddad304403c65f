"""Helpers of the hostile programs in Python: each attempt reports itself, and finish prints the last line."""
import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
DENIALS = {errno.EPERM, errno.ENOSYS, errno.EACCES}
_escapes = []


def escaped(what):
    _escapes.append(what)
    print("ESCAPED:", what, flush=True)


def syscall(nr, *args):
    """The result of a system call and its errno."""
    ctypes.set_errno(0)
    r = libc.syscall(ctypes.c_long(nr), *[a if isinstance(a, bytes) else ctypes.c_long(a) for a in args])
    return r, ctypes.get_errno()


def denied(what, nr, *args):
    r, e = syscall(nr, *args)
    if r >= 0 or e not in DENIALS:
        escaped(f"{what} (result {r}, {os.strerror(e)})")


def unreadable(path):
    """The file must not be there, or not open."""
    try:
        with open(path, "rb") as f:
            data = f.read(4096)
    except OSError:
        return
    if data:
        escaped(f"read {path}")


def unwritable(path):
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return
    escaped(f"opened {path} for writing")


def finish():
    if not _escapes:
        print("held")
    print("done", flush=True)
