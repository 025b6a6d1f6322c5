"""What people see of a sweep: of its plan, of how far it is, and of the finished map."""
