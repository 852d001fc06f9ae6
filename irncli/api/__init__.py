"""The Python interface: functions and classes that `irncli` exports."""

from irncli.api.convert import compress, decolor, downscale
from irncli.api.model import Model, load
from irncli.api.restore import restore
from irncli.operations.result import Result

__all__ = ["Model", "Result", "compress", "decolor", "downscale", "load", "restore"]
