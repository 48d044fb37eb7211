"""What guest agents answer, as they write it: the talk's two transcripts, a Windows agent, a Linux one.

The Windows replies have the shapes of qga/commands-win32.c: drives are volumes with a GUID, users have a domain, what
is not known of a PCI controller is -1, and several fields that Linux has are missing.
"""

from __future__ import annotations

OSINFO_WINDOWS = (
    b'{"return": {"name": "Microsoft Windows", "kernel-release": "17763", '
    b'"version": "Microsoft Windows Server 2019", "variant": "server", '
    b'"pretty-name": "Windows Server 2019 Datacenter", "version-id": '
    b'"2019", "variant-id": "server", "kernel-version": "10.0", "machine": '
    b'"x86_64", "id": "mswindows"}}'
)
OSINFO_RHEL = (
    b'{"return": {"name": "Red Hat Enterprise Linux", "kernel-release": '
    b'"4.18.0-103.el8.x86_64", "version": "8.1 (Ootpa)", "pretty-name": '
    b'"Red Hat Enterprise Linux 8.1 Beta (Ootpa)", "version-id": "8.1", '
    b'"kernel-version": "#1 SMP Sat Jun 8 15:07:32 UTC 2019", '
    b'"machine": "x86_64", "id": "rhel"}}'
)
"""guest-get-osinfo in the talk: to the letter, without its line breaks."""

EXEC_LINUX = (
    b'{"return": {"pid": 3894}}',
    b'{"return": {"exitcode": 0, "out-data": "MjAyNC0wNi0xMgo=", "exited": true}}',
)
EXEC_WINDOWS = (
    b'{"return": {"pid": 4672}}',
    b'{"return": {"exitcode": 0, "out-data": "bnQgYXV0aG9yaXR5XHN5c3RlbQ0K", "exited": true}}',
)
"""guest-exec and guest-exec-status in the talk."""

WINDOWS = {
    "guest-info": b'{"return": {"version": "107.0.1", "supported_commands": ['
    b'{"enabled": true, "name": "guest-get-osinfo", "success-response": true}, '
    b'{"enabled": false, "name": "guest-suspend-hybrid", "success-response": false}, '
    b'{"enabled": true, "name": "guest-get-devices", "success-response": true}]}}',
    "guest-get-osinfo": OSINFO_WINDOWS,
    "guest-get-host-name": b'{"return": {"host-name": "WIN-3UOJPM7TO5H"}}',
    "guest-get-timezone": b'{"return": {"zone": "W. Europe Summer Time", "offset": 7200}}',
    "guest-get-users": b'{"return": [{"login-time": 1718012345.678901, "domain": "WIN-3UOJPM7TO5H", '
    b'"user": "Administrator"}]}',
    "guest-get-time": b'{"return": 1718012345678901200}',
    "guest-network-get-interfaces": b'{"return": [{"name": "Ethernet Instance 0", "ip-addresses": ['
    b'{"ip-address-type": "ipv6", "ip-address": "fe80::5cc9:e4c5:6e2:8d4f%6", "prefix": 64}, '
    b'{"ip-address-type": "ipv4", "ip-address": "10.0.2.2", "prefix": 24}], '
    b'"statistics": {"tx-packets": 150, "tx-errs": 0, "rx-bytes": 22000, "rx-dropped": 0, "rx-packets": 120, '
    b'"rx-errs": 0, "tx-bytes": 18000, "tx-dropped": 0}, "hardware-address": "52:54:00:aa:bb:cc"}, '
    b'{"name": "Loopback Pseudo-Interface 1", "ip-addresses": ['
    b'{"ip-address-type": "ipv6", "ip-address": "::1", "prefix": 128}, '
    b'{"ip-address-type": "ipv4", "ip-address": "127.0.0.1", "prefix": 8}]}]}',
    "guest-get-fsinfo": rb'{"return": [{"name": "\\\\?\\Volume{11111111-0000-0000-0000-501f00000000}\\", '
    rb'"total-bytes": 42304794624, "mountpoint": "C:\\", "disk": [{"serial": "QM00001", "bus-type": "virtio", '
    rb'"bus": 0, "unit": 0, "pci-controller": {"bus": -1, "slot": -1, "domain": -1, "function": -1}, '
    rb'"dev": "\\\\.\\PhysicalDrive0", "target": 0}], "used-bytes": 12304794624, "type": "NTFS"}, '
    rb'{"name": "\\\\?\\Volume{22222222-0000-0000-0000-100000000000}\\", "mountpoint": "System Reserved", '
    rb'"disk": [], "type": "NTFS"}, '
    rb'{"name": "\\\\?\\Volume{33333333-2222-11e9-aaaa-806e6f6e6963}\\", "mountpoint": "D:\\", '
    rb'"disk": [], "type": "CDFS"}]}',
    "guest-get-disks": rb'{"return": [{"name": "\\\\.\\PhysicalDrive0", "partition": false, "address": '
    rb'{"serial": "QM00001", "bus-type": "sata", "bus": 0, "unit": 0, '
    rb'"pci-controller": {"bus": -1, "slot": -1, "domain": -1, "function": -1}, '
    rb'"dev": "\\\\.\\PhysicalDrive0", "target": 0}}]}',
    "guest-get-vcpus": b'{"return": [{"online": true, "can-offline": false, "logical-id": 0}, '
    b'{"online": true, "can-offline": false, "logical-id": 1}]}',
    "guest-get-devices": b'{"return": [{"driver-date": 1562889600000000000, '
    b'"driver-name": "Red Hat VirtIO SCSI controller", '
    b'"driver-version": "62.80.104.17300", "id": {"type": "pci", "vendor-id": 6900, "device-id": 4097}}]}',
    "guest-fstrim": rb'{"return": {"paths": [{"path": "C:\\"}, '
    rb'{"path": "System Reserved", "error": "The operation isn\u0027t supported on FAT volumes."}]}}',
}
"""Command -> the whole reply of a Windows agent."""

LINUX = {
    "guest-get-vcpus": b'{"return": [{"online": false, "can-offline": true, "logical-id": 1}, '
    b'{"online": true, "can-offline": false, "logical-id": 0}]}',
    "guest-get-memory-blocks": b'{"return": [{"online": true, "can-offline": true, "phys-index": 1}, '
    b'{"online": true, "can-offline": true, "phys-index": 0}, '
    b'{"online": false, "can-offline": true, "phys-index": 2}, '
    b'{"online": false, "can-offline": true, "phys-index": 32}]}',
    "guest-get-memory-block-info": b'{"return": {"size": 134217728}}',
    "guest-get-disks": b'{"return": [{"name": "/dev/vda1", "partition": true, "dependencies": ["/dev/vda"]}, '
    b'{"name": "/dev/vda", "partition": false, "address": {"bus-type": "virtio", "bus": 0, "unit": 0, '
    b'"serial": "root", "pci-controller": {"bus": 5, "slot": 0, "domain": 0, "function": 0}, '
    b'"dev": "/dev/vda", "target": 0}}, '
    b'{"name": "/dev/sdb", "partition": false, "address": {"bus-type": "scsi", "bus": 0, "unit": 3, '
    b'"pci-controller": {"bus": 1, "slot": 2, "domain": 0, "function": 1}, "dev": "/dev/sdb", "target": 0}}, '
    b'{"name": "/dev/dm-0", "partition": false, "dependencies": ["/dev/vda2", "/dev/vdb"], "alias": "rhel-root"}]}',
    "guest-get-cpustats": b'{"return": [{"cpu": 1, "guestnice": 0, "idle": 9000, "steal": 10, "iowait": 0, '
    b'"system": 500, "guest": 0, "nice": 0, "irq": 0, "type": "linux", "user": 490, "softirq": 0}, '
    b'{"cpu": 0, "idle": 0, "system": 0, "nice": 0, "type": "linux", "user": 0}]}',
    "guest-get-diskstats": b'{"return": [{"name": "vda", "major": 254, "minor": 0, "stats": {"read-sectors": 2048, '
    b'"read-ios": 10, "write-sectors": 16, "write-ios": 2, "ios-pgr": 0, "total-ticks": 1500}}]}',
    "guest-fstrim": b'{"return": {"paths": [{"minimum": 0, "path": "/", "trimmed": 1048576}, '
    b'{"path": "/boot", "error": "trim not supported"}]}}',
}
"""Command -> the whole reply of a Linux agent."""
