"""A Ray cluster of two nodes of one CPU on this machine, as a process of its own.

It writes below the directory that it is given and prints its address; each line on its standard
input kills one node without warning, and the end of it ends the cluster.
"""

import logging
import os
import sys
from pathlib import Path

NODE = {
    "num_cpus": 1,
    "object_store_memory": 80 << 20,
    "include_dashboard": False,
}


def main(folder):
    # Read when Ray is imported; it notes there which cluster is the current one, but makes no
    # directory for that.
    os.environ["RAY_TMPDIR"] = folder
    (Path(folder) / "ray").mkdir(parents=True)
    from ray.cluster_utils import Cluster

    head = {
        **NODE,
        # A node that was killed is to be missed after a second.
        "_system_config": {
            "health_check_period_ms": 200,
            "health_check_failure_threshold": 5,
            "health_check_initial_delay_ms": 0,
        },
    }
    cluster = Cluster(initialize_head=True, head_node_args=head, shutdown_at_exit=True)
    try:
        other = cluster.add_node(**NODE)
        cluster.wait_for_nodes()
        print(cluster.address, flush=True)
        for _ in sys.stdin:
            cluster.remove_node(other, allow_graceful=False)
            print("killed", flush=True)
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    logging.disable()
    main(sys.argv[1])
