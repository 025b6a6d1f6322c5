"""The first hour: a config from one's own files, what this machine lacks for a sweep, and a map in one command."""
