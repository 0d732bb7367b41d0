"""The queue: runs that are asked for, claimed, ended, tried again; each change with its events, in one transaction."""
