"""How people begin: a config, a machine that is checked, a map in one command."""
