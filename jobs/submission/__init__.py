"""A sweep as a job of a Ray cluster."""

IN_A_JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"  # a variable that Ray sets for the driver of a submitted job
