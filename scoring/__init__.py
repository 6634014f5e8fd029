"""The judge: the hotline's rules as data and one small pure function a rule."""
