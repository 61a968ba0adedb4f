"""A device's flash with its file system: mounted by a boot, gone at a loss of power."""

import os
import sys
import vfs

import flash

ROOT = "/flash"


class Stage:
    """The medium of a simulated device.

    Args:
        kind: ``lfs``, ``fat`` (on sectors that are written whole or not at
            all) or ``fat-raw`` (each sector erased and written in its place).
        blocks: Size of the flash in erase blocks.
    """

    def __init__(self, kind, blocks):
        self.kind = kind
        self.flash = flash.Flash(blocks)
        self.system = vfs.VfsLfs2 if kind == "lfs" else vfs.VfsFat
        self.driver = flash.Safe if kind == "fat" else flash.Bare
        self.is_mounted = False

    def format(self):
        """Make an empty file system."""
        device = self.driver(self.flash)
        self.system.mkfs(device)
        device.ioctl(3, 0)

    def mount(self):
        """Do what a board's _boot.py does, and go into the root of the file system."""
        device = self.driver(self.flash)
        vfs.mount(self.system(device), ROOT)
        self.is_mounted = True
        os.chdir(ROOT)

    def unmount(self):
        """Forget all that is in memory, as a loss of power does."""
        if self.is_mounted:
            os.chdir("/")
            vfs.umount(ROOT)
            self.is_mounted = False

    def digest(self):
        """Return a digest of what the file system stands on, after the driver's own recovery."""
        self.driver(self.flash)
        return self.flash.digest(self.flash.blocks - (2 if self.kind == "fat" else 0))


def purge(*packages):
    """Forget imported modules, as a restart does."""
    for name in list(sys.modules):
        if name.split(".")[0] in packages:
            del sys.modules[name]
