"""The sweep itself: the loop, its schedule, the actors and nodes it works with, and what people see meanwhile."""
