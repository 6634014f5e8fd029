"""The PBX's own events, which complete what the tap cannot see of a recorded call."""
