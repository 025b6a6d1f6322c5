"""What people ask of a finished map."""
