"""Yesterday's calls: what a PBX already recorded, read as calls."""
