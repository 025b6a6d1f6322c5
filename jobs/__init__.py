"""Ray programs: plan, embed, featurize, reduce, and the sweep that drives them."""

import os

# Read by Ray when it is first imported: a local cluster binds to 127.0.0.1 only, and reports to nobody.
os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

IN_A_JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"  # a variable that Ray sets for the driver of a submitted job
