"""The web pages: agents, QA, supervisors, administrators."""
