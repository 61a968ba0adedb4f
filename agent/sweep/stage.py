"""A device's flash with its file system: mounted by a boot, gone at a loss of power."""

import os
import struct
import vfs

import flash

ROOT = "/flash"


class Stage:
    """The medium of a simulated device.

    Args:
        kind: ``lfs``, ``fat`` (on sectors that are written whole or not at
            all) or ``fat-raw`` (each sector erased and written in its place).
            FAT itself does not survive the latter: there only what is written
            into files is cut, and not FAT's table and directories.
        blocks: Size of the flash in erase blocks.
    """

    directories = ()

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
        self.device = self.driver(self.flash)
        vfs.mount(self.system(self.device), ROOT)
        self.is_mounted = True
        os.chdir(ROOT)

    def unmount(self):
        """Forget all that is in memory, as a loss of power does."""
        if self.is_mounted:
            if self.kind == "fat-raw":
                self.find_directories()
            os.chdir("/")
            vfs.umount(ROOT)
            self.device.is_gone = True
            self.is_mounted = False

    def find_directories(self):
        """Note which blocks hold FAT's table and directories."""
        view = self.flash.view
        reserved, copies, entries, _, _, size = struct.unpack("<HBHHBH", view[14:24])
        first = reserved + copies * size + entries * 32 // flash.BLOCK
        found = set(range(first))
        for block in range(first, self.flash.blocks):
            at = block * flash.BLOCK
            if bytes(view[at : at + 11]) == b".          ":
                found.add(block)
        self.directories = found.union(self.directories)

    def may_cut(self, operation):
        """Return whether what an operation writes is to survive a cut in it."""
        return operation[0] // flash.BLOCK not in self.directories

    def digest(self):
        """Return a digest of what the file system stands on, after the driver's own recovery."""
        self.driver(self.flash)
        return self.flash.digest(range(self.flash.blocks - (2 if self.kind == "fat" else 0)))

    def visible(self):
        """Return a digest of the blocks from which the file system reads all that it holds.

        What is in the others counts for nothing: they are erased before they are used.
        """
        read = self.flash.read = set()
        try:
            self.mount()
            read_all("")
        except OSError:
            return self.digest()
        finally:
            self.flash.read = None
            self.unmount()
        return self.flash.digest(sorted(read))


def read_all(folder):
    """Read every file below a folder."""
    for name, kind, *_ in os.ilistdir(folder):
        path = folder + "/" + name if folder else name
        if kind == 0x4000:
            read_all(path)
        else:
            with open(path, "rb") as f:
                while f.read(2048):
                    pass
