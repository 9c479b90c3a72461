"""The lanes stage: sightings and decisions in; arrival notices and the ends of crossings out."""
