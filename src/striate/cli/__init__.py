"""The command line: parse, call flow, show.  One file per command.

Comes in: arguments.  Goes out: tables for people, or one JSON document on stdout.
May import: flow and the rooms below it; torch only inside a command that needs it.
"""
