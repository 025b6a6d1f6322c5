"""What every command writes with: how much it says, a bar, commands and paths to be copied."""
