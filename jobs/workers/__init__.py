"""What runs on the nodes: embedding, scores, features, the reducer."""
