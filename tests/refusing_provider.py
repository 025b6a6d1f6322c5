"""A cloud without capacity, for the autoscaler of cluster/local.py: its provider for tests, which gives no node of the
types that `provider.refused` names."""

from ray.autoscaler._private.fake_multi_node.node_provider import FakeMultiNodeProvider
from ray.autoscaler.node_launch_exception import NodeLaunchException
from ray.autoscaler.tags import TAG_RAY_USER_NODE_TYPE

CODE, WORDS = (
    "InsufficientInstanceCapacity",
    "we currently do not have sufficient capacity in the Availability Zone you requested",
)


class RefusingProvider(FakeMultiNodeProvider):
    def create_node_with_resources_and_labels(self, node_config, tags, count, resources, labels):
        if tags[TAG_RAY_USER_NODE_TYPE] in self.provider_config["refused"]:
            raise NodeLaunchException(CODE, WORDS, None)
        super().create_node_with_resources_and_labels(node_config, tags, count, resources, labels)
