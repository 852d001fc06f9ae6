"""The Python interface: what `irncli` itself makes public."""

from irncli.api.convert import compress, decolor, downscale
from irncli.api.model import Model, load
from irncli.api.restore import restore
from irncli.operations.result import Result

__all__ = ["Model", "Result", "compress", "decolor", "downscale", "load", "restore"]
