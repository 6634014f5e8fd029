"""What a call is: records, errors, text offsets and hand-over folders; imports no other room."""
