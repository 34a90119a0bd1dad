"""What is measured of a sample while a network learns it."""
