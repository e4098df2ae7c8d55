"""OpenVINO without its telemetry.

Importing the library reports that to its makers over the network. Where its telemetry package cannot be found it uses
a stub of its own, so that package is hidden while the library is imported.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any


def _import_quietly() -> Any:
    telemetry = "openvino_telemetry"
    if "openvino" in sys.modules or telemetry in sys.modules:  # whoever was here first has decided
        return import_module("openvino")
    sys.modules[telemetry] = None  # type: ignore[assignment]  # what the import system takes for "not there"
    try:
        return import_module("openvino")
    finally:
        del sys.modules[telemetry]


ov = _import_quietly()
op = import_module("openvino.opset13")
