"""Downstream tasks, scored as MTEB scores them: what a feature vector is to predict."""
