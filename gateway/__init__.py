"""The edge daemon: reader bytes in, gate events out, nothing lost in between."""
