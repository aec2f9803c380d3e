"""The command line: arguments in, calls to the rooms, text or one JSON document out."""
