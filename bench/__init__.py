"""Measurements, each against bare QEMU (or the bare interpreter) in the same run. `scripts/bench` runs them."""
