"""One sweep as a person starts it: from the config to the exit code."""
