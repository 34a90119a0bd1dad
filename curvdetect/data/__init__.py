"""What the user has, as indexed samples."""
