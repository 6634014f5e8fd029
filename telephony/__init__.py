"""The tap: the only room that knows pjsua2."""
