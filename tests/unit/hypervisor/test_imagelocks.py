from __future__ import annotations

import pytest

from solovirt.hypervisor.imagelocks import explained

WHO = "Is another process using the image [/srv/a b.img]?"
DEVICE = 'qemu-system-x86_64: -device {"driver":"virtio-blk-pci","drive":"d-0-format","id":"ua-my-data"}: '


@pytest.mark.parametrize(
    ("said", "disk"),
    [
        (f'{DEVICE}Failed to get "write" lock\n{WHO}', 'disk "my-data"'),
        (f'{DEVICE}Failed to get shared "consistent read" lock\n{WHO}', 'disk "my-data"'),
        (f'qemu-system-x86_64: -blockdev {{"driver":"file"}}: Failed to get "write" lock\n{WHO}', "a disk"),
        (f'warning: of "id":"ua-another"\nqemu: -blockdev x: Failed to get "write" lock\n{WHO}', "a disk"),
    ],
)
def test_a_disk_that_is_in_use(said: str, disk: str) -> None:
    assert explained(said) == f"{disk} is in use: another machine or program holds the lock of /srv/a b.img"


@pytest.mark.parametrize("said", ["", "Could not open '/srv/a': Permission denied", WHO, 'Failed to get "write" lock'])
def test_anything_else_stays_as_qemu_said_it(said: str) -> None:
    assert explained(said) == ""
