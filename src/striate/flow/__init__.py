"""The only place where rooms are put together, one file per command.

Comes in: what the user named (TARGET, DATA, options).  Goes out: records, or events as they come.
May import: every room below; never cli or web.
"""
