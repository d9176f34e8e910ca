"""JAX's processor taken for eight devices, which it is told before it is first used."""

from __future__ import annotations

import os

os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=8")
