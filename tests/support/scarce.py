"""Memory that runs out."""

from irncli.model.dense import DenseBlock


class Scarce:
    """Allocations of windows above a number of pixels fail."""

    def __init__(self, monkeypatch, limit):
        self.limit, self.failures = limit, 0
        whole = DenseBlock.output

        def output(block, x, **options):
            if x.shape[2] * x.shape[3] > self.limit:
                self.failures += 1
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
            return whole(block, x, **options)

        monkeypatch.setattr(DenseBlock, "output", output)
