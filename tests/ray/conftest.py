"""Ray's own cluster of two nodes on this machine."""

import os
import sys

import numpy as np
import pytest

from freeagent_core import GenerativeModel

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
# by default actors give way to whatever else runs here
os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112
os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
STORE = 80 * 2**20  # bytes of a node's object store


class TwoNodes:
    """The driver's node, without processors for actors, and two nodes with one each."""

    def __init__(self):
        from ray.cluster_utils import Cluster

        self.cluster = Cluster(
            initialize_head=True,
            head_node_args={
                "num_cpus": 0,
                "object_store_memory": STORE,
                "include_dashboard": False,
                "_system_config": {  # a dead node is noticed within 2 s, not 15
                    "health_check_initial_delay_ms": 1000,
                    "health_check_period_ms": 500,
                    "health_check_timeout_ms": 1500,
                    "health_check_failure_threshold": 3,
                },
            },
        )
        self.nodes = [self.add(), self.add()]

    def add(self):
        return self.cluster.add_node(num_cpus=1, object_store_memory=STORE)

    def kill(self, index):
        """Kill a node with all that runs on it, as a power cut would."""
        self.cluster.remove_node(self.nodes[index], allow_graceful=False)

    def replace(self, index):
        self.nodes[index] = self.add()


@pytest.fixture(scope="session")
def nodes():
    ray = pytest.importorskip("ray", reason="Ray is not installed (extra ray)")
    ray.shutdown()  # another test's
    two = TwoNodes()
    ray.init(
        address=two.cluster.address,
        logging_level="ERROR",
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": os.pathsep.join(sys.path)}},
    )
    yield two
    ray.shutdown()
    two.cluster.shutdown()


@pytest.fixture(params=["memory", "files"])
def directory(request, tmp_path):
    """Where checkpoints are kept."""
    return tmp_path / "checkpoints" if request.param == "files" else None


@pytest.fixture(scope="session")
def model():
    return make_model()


def make_model():
    rng = np.random.default_rng(3)
    A, B = rng.random((3, 4)), rng.random((4, 4, 2))
    return GenerativeModel(
        A=A / A.sum(axis=0),
        B=B / B.sum(axis=0),
        C=np.array([0.0, 1.0, 2.0]),
        pA=5 * A,
        pB=5 * B,
        pD=np.ones(4),
        action_selection="stochastic",
        alpha=1.0,
    )
