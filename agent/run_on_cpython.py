"""Runs the agent on CPython, where MicroPython is not built for: run_on_cpython.py [main.py [DIR]]

The bundle must hold sources (`--source`). This is for demonstrations; a device
runs MicroPython. What differs is stood in for here, and nothing in the agent
knows: `tls` (over `ssl`), `asyncio.core` (a small scheduler with MicroPython's
rules), `time.ticks_*`, `micropython.const`.
"""

import base64
import gc
import importlib.abc
import importlib.machinery
import os
import runpy
import select
import ssl
import sys
import tempfile
import time
import traceback
import types


class Task:
    """A coroutine, and when it goes on."""

    def __init__(self, coro):
        self.coro = coro
        self.at = time.monotonic()
        self.waits_for = None  # socket and direction
        self.cancelled = False
        self.is_over = False

    def cancel(self):
        """End it when it is its turn."""
        self.cancelled = True
        self.waits_for = None
        self.at = time.monotonic()


class CancelledError(BaseException):
    """Thrown into a task that is cancelled."""


class Core(types.ModuleType):
    """What the agent uses of `asyncio.core`."""

    def __init__(self):
        super().__init__("asyncio.core")
        self.new_event_loop()
        self._io_queue = types.SimpleNamespace(
            queue_read=lambda s: self._wait(s, False), queue_write=lambda s: self._wait(s, True)
        )
        self.IOQueue = lambda: self._io_queue

    def new_event_loop(self):
        """Forget all tasks."""
        self._tasks = []
        self._current = None

    def create_task(self, coro):
        """Let a coroutine run."""
        task = Task(coro)
        self._tasks.append(task)
        return task

    @types.coroutine
    def sleep_ms(self, t):
        """Pause the task that awaits this."""
        self._current.at = time.monotonic() + t / 1000
        yield

    def _wait(self, s, writing):
        self._current.waits_for = s, writing

    def run(self, coro):
        """Run a coroutine, and what it starts, until it is over; return its value."""
        main = self.create_task(coro)
        while True:
            self._sleep()
            now = time.monotonic()
            for task in list(self._tasks):
                if task.waits_for is None and task.at <= now:
                    try:
                        self._current = task
                        task.coro.throw(CancelledError()) if task.cancelled else task.coro.send(
                            None
                        )
                    except StopIteration as end:
                        self._tasks.remove(task)
                        if task is main:
                            return end.value
                    except CancelledError:
                        self._tasks.remove(task)

    def _sleep(self):
        # Until the first task is due, or a socket is ready.
        waiting = [task for task in self._tasks if task.waits_for is not None]
        due = min((task.at for task in self._tasks if task.waits_for is None), default=None)
        for task in waiting:
            if task.waits_for[0].has_data(task.waits_for[1]):
                task.waits_for = None
                due = 0
        timeout = max(0, (due or 0) - time.monotonic()) if due is not None else None
        reads = [task.waits_for[0] for task in waiting if task.waits_for and not task.waits_for[1]]
        writes = [task.waits_for[0] for task in waiting if task.waits_for and task.waits_for[1]]
        ready = select.select(reads, writes, [], timeout)
        for task in waiting:
            if task.waits_for and task.waits_for[0] in ready[task.waits_for[1]]:
                task.waits_for = None
                task.at = 0


class TlsSocket:
    """A TLS socket with MicroPython's manners: None when nothing can be done now."""

    def __init__(self, s, context, name):
        self._s = context.context.wrap_socket(
            s, server_hostname=name, do_handshake_on_connect=False
        )
        self._context = context
        self._is_open = False

    def fileno(self):
        return self._s.fileno()

    def has_data(self, writing):
        return not writing and self._is_open and self._s.pending() > 0

    def _shake_hands(self):
        if not self._is_open:
            self._s.do_handshake()
            self._is_open = True
            judge = self._context.verify_callback
            if judge and judge(self._s.getpeercert(binary_form=True), 0):
                raise OSError(-0x3000)

    def _try(self, do):
        try:
            self._shake_hands()
            return do()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            if not self._is_open:
                # Unlike Mbed TLS, who polls as it needs, we wait for either.
                select.select([self._s], [], [], 0.02)
            return None
        except ssl.SSLCertVerificationError as error:
            raise ValueError(error.verify_message) from None
        except ssl.SSLError as error:
            raise OSError(error.reason) from None

    def readinto(self, buf):
        """Read; None if there is nothing, 0 at the end."""
        return self._try(lambda: self._s.recv_into(buf))

    def write(self, data):
        """Write; None if that cannot be now."""
        return self._try(lambda: self._s.send(data))

    def close(self):
        """Close at once."""
        self._s.close()


class TlsContext:
    """`tls.SSLContext`, over `ssl`."""

    def __init__(self, protocol):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.verify_callback = None

    @property
    def verify_mode(self):
        return self.context.verify_mode

    @verify_mode.setter
    def verify_mode(self, mode):
        # CERT_OPTIONAL: whatever the certificate, the callback judges. OpenSSL's name is NONE.
        self.context.check_hostname = mode == ssl.CERT_REQUIRED
        self.context.verify_mode = mode if mode == ssl.CERT_REQUIRED else ssl.CERT_NONE

    def set_ciphers(self, names):
        self.context.set_ciphers("ECDHE+AESGCM")

    def load_verify_locations(self, der):
        self.context.load_verify_locations(cadata=der)

    def load_cert_chain(self, cert, key):
        text = _pem("CERTIFICATE", cert) + _pem("PRIVATE KEY", key)
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as f:  # 0600
            f.write(text)
            f.flush()
            try:
                self.context.load_cert_chain(f.name)
            except ssl.SSLError as error:
                raise ValueError(error.reason) from None

    def wrap_socket(self, s, server_hostname, do_handshake_on_connect):
        return TlsSocket(s, self, server_hostname)


def _pem(kind, der):
    body = base64.encodebytes(der).decode()
    return f"-----BEGIN {kind}-----\n{body}-----END {kind}-----\n"


class RawWaits:
    """Lets a plain socket stand in the scheduler, which asks for buffered data."""

    def __init__(self, s):
        self.s = s

    def fileno(self):
        return self.s.fileno()

    def has_data(self, writing):
        return False


def install():
    """Put the stand-ins where the agent imports from."""
    time.ticks_ms = lambda: time.monotonic_ns() // 1_000_000
    time.ticks_diff = lambda a, b: a - b
    time.ticks_add = lambda a, b: a + b
    gc.mem_free = lambda: 0  # and there is no heap to keep in order
    gc.threshold = lambda size: None
    micropython = types.ModuleType("micropython")
    micropython.const = lambda value: value
    tls = types.ModuleType("tls")
    tls.SSLContext = TlsContext
    tls.PROTOCOL_TLS_CLIENT = 0
    tls.CERT_OPTIONAL = ssl.CERT_OPTIONAL
    tls.CERT_REQUIRED = ssl.CERT_REQUIRED
    sys.modules.pop("asyncio", None)
    Patching.asyncio = types.ModuleType("asyncio")
    Patching.asyncio.core = Core()
    sys.meta_path.insert(0, Patching())
    sys.print_exception = traceback.print_exception
    sys.modules.update({"micropython": micropython, "tls": tls})


@types.coroutine
def until(queue, s):
    """Stand in for the one generator that MicroPython can await."""
    yield queue(s if hasattr(s, "has_data") else RawWaits(s))


class Patching(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Puts `until` into the agent's link whenever a slot's agent is imported; gives `asyncio`."""

    def create_module(self, spec):
        """Return the stand-in for `asyncio`."""
        return self.asyncio

    def exec_module(self, module):
        """Do nothing: it is complete."""

    def find_spec(self, name, path=None, target=None):
        """Find the link as others do, and change it once it has been read."""
        if name == "asyncio":
            return importlib.machinery.ModuleSpec(name, self)
        if name != "seawall_agent.link":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            module.until = until

        spec.loader.exec_module = exec_module
        return spec


def main(argv):
    """Run the program that is named, or main.py, as MicroPython would."""
    script, *rest = argv[1:] or ["main.py"]
    sys.stdout.reconfigure(line_buffering=True)
    sys.argv = [script, *rest]
    sys.path[0] = os.path.abspath(rest[0]) if rest else os.path.dirname(os.path.abspath(script))
    install()
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main(sys.argv)
