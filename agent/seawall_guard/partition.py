"""Whole firmware images of an ESP32: its two OTA partitions as slots, named by their labels.

The boot loader goes back by itself if an image boots a second time without having
been confirmed (CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE, which MicroPython's builds
set): of such a trial the first boot is the only one.
"""

from esp32 import Partition

BLOCK = 4096  # that is erased at once


def running():
    """Return the partition whose firmware runs."""
    return Partition(Partition.RUNNING)


def runs(name):
    """Return whether it is this partition's firmware that runs."""
    return running().info()[4] == name


def back(name):
    """Boot the other one next, if this one runs."""
    if runs(name):
        running().get_next_update().set_boot()


def other():
    """Return the partition that may be written, its label and its size."""
    found = running().get_next_update()
    return found, found.info()[4], found.info()[3]


def confirm():
    """Tell the boot loader that this firmware stays."""
    Partition.mark_app_valid_cancel_rollback()
