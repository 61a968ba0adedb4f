"""Whole firmware images of an ESP32: its two OTA partitions as slots, named by their labels.

The boot loader goes back by itself if an image boots a second time without having
been confirmed (CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE, which MicroPython's builds
set): of such a trial the first boot is the only one.
"""

from esp32 import Partition


def other():
    """Return the partition that may be written, its label and its size."""
    found = Partition(Partition.RUNNING).get_next_update()
    return found, found.info()[4], found.info()[3]


def runs(name):
    """Return whether it is this partition's firmware that runs."""
    return other()[1] != name


def back(name):
    """Boot the other one next, if this one runs."""
    if runs(name):
        other()[0].set_boot()


# Tells the boot loader that this firmware stays.
confirm = Partition.mark_app_valid_cancel_rollback
