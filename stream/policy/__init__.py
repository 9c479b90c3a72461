"""What policies say of a crossing: the lanes that it may use, its tier, and why somebody should look at it."""
